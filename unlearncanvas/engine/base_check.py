"""Check that the detectors fit a base model: they must recognize its images."""

from metrics.base import Predictions
from metrics.proportion import accuracy
from unlearncanvas.types import Domain


def check_base(predictions: Predictions, *, model: str, wanted: float) -> None:
    """Raise ValueError for a base model whose images the detectors do not recognize.

    Args:
        predictions: Of its images.
        model: Its name.
        wanted: Percent that each detector must recognize.

    Raises:
        ValueError: If one does not.
    """
    domains: tuple[Domain, ...] = ("style", "object")
    for domain in domains:
        found = accuracy(predictions, domain).value
        if found < wanted:
            raise ValueError(
                f"the {domain} detector recognizes {found:.1f} % of the images of {model!r} before "
                f"erasing, {wanted:.0f} % are needed: it was not made for this base "
                "model (plain Stable Diffusion gives about 11 %). Use the checkpoints fine-tuned "
                "on UnlearnCanvas, or --skip-base-check to go on all the same"
            )
