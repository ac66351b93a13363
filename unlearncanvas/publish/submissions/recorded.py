"""A method that is known by its artifacts alone: its code is neither here nor wanted."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final, get_args

from diffusers import StableDiffusionPipeline
from pydantic.dataclasses import dataclass

from erasers.base import Eraser
from unlearncanvas.canvases.sources import Sources
from unlearncanvas.core.building import class_name
from unlearncanvas.core.fields import as_file_name
from unlearncanvas.core.files import write_text
from unlearncanvas.core.registry import choose, names
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.protocols import load_any
from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.pipelines.sampler import DType
from unlearncanvas.publish.submissions.bundle import Manifest
from unlearncanvas.results.run_config import OPTIONS, read_options

FIXED = {
    "erasers", "protocol", "model", "tier", "targets", "seeds", "settings", "dtype", "batch_size",
    "optimize", "artifacts", "skip_base_check",
}  # fmt: skip
"""Options that a bundle says in its own fields, or that a protocol decides for every bundle."""
FREE = {name for name, option in OPTIONS.items() if option.computed} - FIXED
"""Options that two bundles of one method and protocol may differ in."""


@final
@dataclass(frozen=True, kw_only=True)
class Recorded(Eraser):
    """Stands for the eraser of a bundle among the jobs of an evaluation."""

    def erase(self, pipe: StableDiffusionPipeline, task: object) -> None:
        """Raise ValueError: what a bundle is checked with makes no models."""
        raise ValueError("the method of a bundle is not loaded; its artifacts are")


def evaluation_of_bundle(
    manifest: Manifest,
    sources: Sources,
    *,
    protocol: str | None = None,
    device: str = "cpu",
    model: str | None = None,
) -> Evaluation:
    """Return the evaluation that a bundle is of, in the precision that its protocol fixes.

    Args:
        manifest: The bundle's; no class is imported that it names.
        sources: Where detectors and real images are.
        protocol: File of the protocol, for one that is not of this package.
        device: Where images are drawn.
        model: Base model; None for the protocol's.

    Raises:
        ValueError: If there is no such protocol, tier or option.
    """
    where = protocol or choose("protocol", manifest.protocol, names("protocols"))
    for option in manifest.options:
        choose("option of a bundle", option, FREE)
    given: dict[str, Any] = {
        **manifest.options,
        "protocol": where,
        "tier": manifest.tier,
        "model": model,
        "device": device,
        "detectors": sources.detectors,
        "dataset": sources.dataset,
        "inception": sources.inception,
    }
    with TemporaryDirectory() as folder:
        stand_in = Path(folder) / f"{as_file_name(manifest.eraser)}.yaml"
        write_text(stand_in, f"class: {class_name(Recorded)}\n")
        return _as_written(load_any(where).digest, given | {"erasers": [str(stand_in)]})


def _as_written(digest: str, options: dict[str, Any]) -> Evaluation:
    """The evaluation in the precision of the protocol's file, whether or not it can be had here.

    Raises:
        ValueError: If it is the protocol's in no precision.
    """
    for dtype in get_args(DType):
        found = evaluation_of(read_options(options | {"dtype": dtype}))
        if found.digest == digest:
            return found
    raise ValueError(
        f"no precision gives the evaluation the digest {digest[:12]} of its protocol's file; does "
        "the evaluation's digest follow from the protocol alone?"
    )
