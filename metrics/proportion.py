"""A proportion of images in percent with its interval: the base of all accuracies."""

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from metrics.base import MetricInputs, Predictions, Score
from metrics.intervals import grid, proportion_bounds
from metrics.per_image import PerImage, PerImageMetric
from unlearncanvas.types import Domain


class Outcomes(NamedTuple):
    """The binary outcomes that a proportion is over.

    Attributes:
        included: Whether an image is in the denominator.
        positive: Whether an image, included or not, has the property that is counted.
    """

    included: Bool[np.ndarray, " n"]
    positive: Bool[np.ndarray, " n"]


class ProportionMetric(PerImageMetric):
    """A metric that is a proportion of images."""

    @abstractmethod
    def outcomes(self, inputs: MetricInputs) -> Outcomes:
        """Return which images are in the denominator, and which have the counted property."""

    def per_image(self, inputs: MetricInputs) -> PerImage:
        """Return the outcomes of the included images."""
        included, positive = self.outcomes(inputs)
        predictions = inputs.predictions.select(included)
        return PerImage(positive[included], predictions.cells, predictions.seeds)

    def summarize(self, images: PerImage) -> Score:
        """Return the proportion in percent.

        Raises:
            ValueError: If there are no images.
        """
        return proportion_score(*images, higher_is_better=self.higher_is_better)


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
