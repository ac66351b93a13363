"""Load what looks at images: the detectors of a canvas, and extractors of features."""

import logging
from collections.abc import Sequence

import torch

from unlearncanvas.canvases.canvas import CanvasDetectors
from unlearncanvas.canvases.detectors import Detectors, Extractor
from unlearncanvas.canvases.inception import WIDTH, load_extractor
from unlearncanvas.canvases.sources import SHIPPED, Sources

_log = logging.getLogger(__name__)


def load_detectors(
    spec: CanvasDetectors,
    extractors: Sequence[str] = (),
    *,
    device: torch.device | str = "cpu",
    sources: Sources = SHIPPED,
) -> Detectors:
    """Return the detectors of a canvas with extractors of features for FID and KID.

    An extractor whose weights cannot be had is left out, and a line says where to get them; the
    metrics that do not need it still come out.

    Args:
        spec: The detectors, as a protocol names them.
        extractors: Names of the extractors beside the detectors' own features.
        device: Where they run.
        sources: Where the user keeps weights.

    Raises:
        ValueError: If a detector cannot be had.
    """
    where = torch.device(device)
    detectors = spec.load(where, sources)
    detectors.extractors.update(_extractors(extractors, where, sources))
    return detectors


def row_widths(spec: CanvasDetectors, extractors: Sequence[str]) -> tuple[int, int]:
    """Return how many features and how many probabilities an image has, at most."""
    features, probabilities = spec.row_widths()
    return features + WIDTH * len(extractors), probabilities


def _extractors(
    names: Sequence[str], device: torch.device, sources: Sources
) -> dict[str, Extractor]:
    found = {}
    for name in names:
        try:
            found[name] = load_extractor(name, device, sources.inception)
        except ValueError as exc:
            _log.warning("left out: %s", exc)
    return found
