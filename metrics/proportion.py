"""A proportion of images in percent with its interval: the base of all accuracies."""

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from metrics.base import Metric, MetricInputs, Predictions, Score
from metrics.intervals import grid, mean_bounds, proportion_bounds
from unlearncanvas.types import Domain


class Outcomes(NamedTuple):
    """The binary outcomes that a proportion is over.

    Attributes:
        included: Whether an image is in the denominator.
        positive: Whether an image, included or not, has the property that is counted.
    """

    included: Bool[np.ndarray, " n"]
    positive: Bool[np.ndarray, " n"]


class ProportionMetric(Metric):
    """A metric that is a proportion of images; two models are compared pairwise by its outcomes."""

    @abstractmethod
    def outcomes(self, inputs: MetricInputs) -> Outcomes:
        """Return which images are in the denominator, and which have the counted property."""

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the proportion in percent.

        Raises:
            ValueError: If no image is included.
        """
        included, positive = self.outcomes(inputs)
        predictions = inputs.predictions.select(included)
        return proportion_score(
            positive[included],
            predictions.cells,
            predictions.seeds,
            higher_is_better=self.higher_is_better,
        )


def target_domain(inputs: MetricInputs) -> Domain:
    """Return the domain of the target.

    Raises:
        ValueError: For a trigger, which has no cell in the grid.
    """
    kind = inputs.target.kind
    if kind == "trigger":
        raise ValueError(f"{inputs.target} is not in the style x object grid")
    return kind


def other(domain: Domain) -> Domain:
    """Return the other domain."""
    return "object" if domain == "style" else "style"


def matches(predictions: Predictions, domain: Domain) -> Bool[np.ndarray, " n"]:
    """Return whether the detected name is the requested one."""
    return np.asarray(predictions.asked(domain) == predictions.seen(domain))


def accuracy(predictions: Predictions, domain: Domain) -> Score:
    """Return the percentage of images whose detected name is the requested one.

    Args:
        predictions: Predictions for the images; every cell at every seed.
        domain: Style or object detector.

    Raises:
        ValueError: If there are no images.
    """
    return proportion_score(matches(predictions, domain), predictions.cells, predictions.seeds)


def proportion_score(
    positive: Bool[np.ndarray, " n"],
    cells: Sequence[Hashable],
    seeds: Sequence[int],
    *,
    higher_is_better: bool = True,
) -> Score:
    """Return the percentage of positive images, with the interval over cells.

    Raises:
        ValueError: If there are no images, or not every cell has every seed exactly once.
    """
    if not len(positive):
        raise ValueError("no images to count; the proportion is undefined")
    interval = proportion_bounds(grid(positive, cells, seeds)).interval()
    return Score(
        value=100 * int(positive.sum()) / len(positive),
        n=len(positive),
        low=100 * interval.low,
        high=100 * interval.high,
        higher_is_better=higher_is_better,
    )


def mean_score(
    values: Float[np.ndarray, " n"],
    cells: Sequence[Hashable],
    seeds: Sequence[int],
    *,
    unit: str,
    higher_is_better: bool = False,
) -> Score:
    """Return the mean of a value >= 0 per image, with the interval over cells.

    Args:
        values: One per image.
        cells: Cell of each image.
        seeds: Seed of each image.
        unit: Unit of the values.
        higher_is_better: Direction; the default is that of a distance.
    """
    bounds = mean_bounds(grid(values, cells, seeds))
    return Score(
        value=float(values.mean()),
        n=len(values),
        low=None if bounds is None else max(0.0, float(bounds.low)),
        high=None if bounds is None else float(bounds.high),
        unit=unit,
        higher_is_better=higher_is_better,
    )
