"""Load what looks at a protocol's images."""

import logging

import numpy as np
import timm
import torch

from unlearncanvas.canvases.detectors import OWN, Detectors, Extractor
from unlearncanvas.canvases.inception import WIDTH, load_extractor
from unlearncanvas.canvases.mini.detector import PaintedDetector
from unlearncanvas.canvases.mini.spec import PaintedDetectors
from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.canvases.unlearncanvas.vit_detector import ViTDetector, find_weights
from unlearncanvas.core.method_config import load_metric
from unlearncanvas.engine.grid import Grid

_log = logging.getLogger(__name__)


def load_detectors(
    protocol: Grid, device: torch.device | str = "cpu", sources: Sources = SHIPPED
) -> Detectors:
    """Return the protocol's detectors, and the extractors that its metrics ask for.

    An extractor whose weights cannot be had is left out, and a line says where to get them; the
    metrics that do not need it still come out.

    Raises:
        ValueError: If a detector cannot be had.
    """
    rules, where = protocol.detectors, torch.device(device)
    if isinstance(rules, PaintedDetectors):
        return Detectors(
            PaintedDetector(rules.style, where),
            PaintedDetector(rules.object, where),
            identity=rules.plain(),
            base_digests=rules.base_digests,
        )
    style, obj = (
        ViTDetector(rules, spec, find_weights(rules, spec, sources.detectors), where)
        for spec in (rules.style, rules.object)
    )
    return Detectors(
        style,
        obj,
        identity={**rules.plain(), "sha256": [style.sha256, obj.sha256]},
        extractors=_extractors(protocol, where, sources),
        base_accuracy=rules.base_accuracy,
    )


def row_widths(protocol: Grid) -> tuple[int, int]:
    """Return how many features and how many probabilities an image has, at most.

    Known without the weights of UnlearnCanvas' classifiers and of Inception.
    """
    rules = protocol.detectors
    if isinstance(rules, PaintedDetectors):
        detectors, sampler = load_detectors(protocol), protocol.sampler
        seen = detectors.detect([np.zeros((sampler.height, sampler.width, 3), dtype=np.uint8)])
        features = sum(values.size for values in seen.features.values())
        return features, seen.style_prob.size + seen.object_prob.size
    with torch.device("meta"):
        own = 2 * timm.create_model(rules.architecture, img_size=rules.image_size).num_features
    names = len(rules.style.labels) + len(rules.object.labels)
    return own + WIDTH * len(_wanted(protocol)), names


def _wanted(protocol: Grid) -> list[str]:
    """The extractors beside the detectors' own features that the protocol's metrics ask for."""
    return sorted({load_metric(name).extractor for name in protocol.metrics} - {None, OWN})


def _extractors(protocol: Grid, device: torch.device, sources: Sources) -> dict[str, Extractor]:
    found = {}
    for name in _wanted(protocol):
        try:
            found[name] = load_extractor(name, device, sources.inception)
        except ValueError as exc:
            _log.warning("left out: %s", exc)
    return found
