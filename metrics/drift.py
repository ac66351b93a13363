"""Drift: how far the retained images move from the base model's images of the same noise.

    drift = mean of ||f - f_0|| / ||f_0||  over the images without the target

with f the detectors' features of the erased model's image and f_0 those of the base model's image
of the same cell and seed. >= 0, lower is better; 0 for the base model itself. A trigger has no cell
of its own: every image counts. Retention on a scale that does not saturate where IRA and CRA are
near 100 %.

Source: DESIGN.md; not reported by Zhang et al. 2024.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from metrics.base import MetricInputs, Predictions
from metrics.mean import MeanMetric
from metrics.per_image import PerImage
from metrics.retained import retained


@final
@dataclass(frozen=True, kw_only=True)
class Drift(MeanMetric):
    """Mean relative distance of the retained images from the base model's."""

    heading: ClassVar[str] = "drift"
    digits: ClassVar[int | None] = 3
    unit: ClassVar[str] = "relative L2"
    higher_is_better: ClassVar[bool] = False
    needs_base: ClassVar[bool] = True

    extractor: str = "detectors"

    def per_image(self, inputs: MetricInputs) -> PerImage:
        """Return the distance of each image without the target."""
        if inputs.base is None:
            raise ValueError("drift needs the base model's images of the same cells and seeds")
        kept = inputs.predictions.select(retained(inputs.predictions.cells, inputs.target))
        base = same_noise(inputs.base, kept)
        features = (side.features[self.extractor] for side in (kept, base))
        return PerImage(relative_distance(*features), kept.cells, kept.seeds)


def same_noise(base: Predictions, images: Predictions) -> Predictions:
    """Return the base model's images of the cells and seeds of others, in their order.

    Raises:
        ValueError: If one is missing.
    """
    rows = {place: row for row, place in enumerate(zip(base.cells, base.seeds, strict=True))}
    places = list(zip(images.cells, images.seeds, strict=True))
    missing = [place for place in places if place not in rows]
    if missing:
        cell, seed = missing[0]
        raise ValueError(f"the base model has no image of {cell} at seed {seed}")
    return base.take([rows[place] for place in places])


def relative_distance(
    features: Float[np.ndarray, "n feature"], base: Float[np.ndarray, "n feature"]
) -> Float[np.ndarray, " n"]:
    """Return the distance of each pair of rows, in units of the base row's length."""
    return np.linalg.norm(features - base, axis=1) / np.linalg.norm(base, axis=1)
