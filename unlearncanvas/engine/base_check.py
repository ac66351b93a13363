"""Whether the detectors were made for a base model: they must recognize what it draws."""

from metrics.base import Predictions
from metrics.proportion import accuracy
from unlearncanvas.types import Domain


def check_base(predictions: Predictions, *, model: str, wanted: float) -> None:
    """Refuse a base model whose own images the detectors do not recognise.

    Args:
        predictions: What it draws.
        model: Its name.
        wanted: Percent that each detector must recognise.

    Raises:
        ValueError: If one does not.
    """
    domains: tuple[Domain, ...] = ("style", "object")
    for domain in domains:
        found = accuracy(predictions, domain).value
        if found < wanted:
            raise ValueError(
                f"the {domain} detector recognizes {found:.1f} % of what {model!r} draws before "
                f"anything is erased, {wanted:.0f} % are needed: it was not made for this base "
                "model (plain Stable Diffusion gives about 11 %). Use the checkpoints fine-tuned "
                "on UnlearnCanvas, or --skip-base-check to go on all the same"
            )
