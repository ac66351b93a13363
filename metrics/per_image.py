"""A metric of one value per image, by which two models are compared in pairs."""

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from metrics.base import Metric, MetricInputs, Score


class PerImage(NamedTuple):
    """One value for each image that a score counts.

    Attributes:
        values: Outcomes, of which the score is the share in percent, or numbers in the score's
            unit, of which it is the mean.
        cells: Cell of each image; cells are the clusters of intervals and tests.
        seeds: Its seed.
    """

    values: Bool[np.ndarray, " n"] | Float[np.ndarray, " n"]
    cells: Sequence[Hashable]
    seeds: Sequence[int]

    @property
    def is_share(self) -> bool:
        """Whether the values are outcomes."""
        return self.values.dtype == np.bool_

    @property
    def in_unit(self) -> Float[np.ndarray, " n"]:
        """The values in the score's unit: 0 or 100 for an outcome."""
        return self.values * 100.0 if self.is_share else self.values


class PerImageMetric(Metric):
    """A metric that is the mean or the share of one value per image."""

    @abstractmethod
    def per_image(self, inputs: MetricInputs) -> PerImage:
        """Return the value of each image that counts.

        Raises:
            ValueError: If no image counts, or an input is missing.
        """

    @abstractmethod
    def summarize(self, images: PerImage) -> Score:
        """Return the score of these values."""

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the score.

        Raises:
            ValueError: If no image counts, or an input is missing.
        """
        return self.summarize(self.per_image(inputs))
