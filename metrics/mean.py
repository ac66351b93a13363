"""A mean of one value per image with its interval: the base of distances and probabilities."""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float

from metrics.base import Score
from metrics.intervals import grid, mean_bounds
from metrics.per_image import PerImage, PerImageMetric


class MeanMetric(PerImageMetric):
    """A metric that is the mean of a value >= 0 per image."""

    def summarize(self, images: PerImage) -> Score:
        """Return the mean.

        Raises:
            ValueError: If there are no images.
        """
        return mean_score(*images, unit=self.unit, higher_is_better=self.higher_is_better)


def mean_score(
    values: Float[np.ndarray, " n"],
    cells: Sequence[Hashable],
    seeds: Sequence[int],
    *,
    unit: str,
    higher_is_better: bool = False,
) -> Score:
    """Return the mean of a value >= 0 per image, with the interval over cells; at most 100 %.

    Args:
        values: One per image.
        cells: Cell of each image.
        seeds: Seed of each image.
        unit: Unit of the values.
        higher_is_better: Direction; the default is that of a distance.

    Raises:
        ValueError: If there are no images, or not every cell has every seed exactly once.
    """
    if not len(values):
        raise ValueError("no images to average over; the mean is undefined")
    bounds, most = mean_bounds(grid(values, cells, seeds)), 100.0 if unit == "%" else np.inf
    return Score(
        value=float(values.mean()),
        n=len(values),
        low=None if bounds is None else max(0.0, float(bounds.low)),
        high=None if bounds is None else min(most, float(bounds.high)),
        unit=unit,
        higher_is_better=higher_is_better,
    )
