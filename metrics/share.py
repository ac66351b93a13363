"""A share of images in percent, with its interval: what all accuracies have in common."""

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from metrics.base import Metric
from metrics.intervals import grid, mean_ends, share_ends
from unlearncanvas.types import Answers, Domain, Question, Score


class Counted(NamedTuple):
    """The images that a share is of.

    Attributes:
        chosen: Whether an image counts.
        hits: Whether an image, counted or not, has what is counted.
    """

    chosen: Bool[np.ndarray, " n"]
    hits: Bool[np.ndarray, " n"]


class ShareMetric(Metric):
    """A metric that is a share of images; comparisons of two models pair them by it."""

    @abstractmethod
    def counted(self, question: Question) -> Counted:
        """Return the images that count, and those that have what is counted."""

    def compute(self, question: Question) -> Score:
        """Return the share in percent.

        Raises:
            ValueError: If no image counts.
        """
        chosen, hits = self.counted(question)
        answers = question.answers.select(chosen)
        return share_of(
            hits[chosen], answers.cells, answers.seeds, higher_is_better=self.higher_is_better
        )


def target_domain(question: Question) -> Domain:
    """Return the domain of the target.

    Raises:
        ValueError: For a trigger, which has no place in the grid.
    """
    kind = question.target.kind
    if kind == "trigger":
        raise ValueError(f"{question.target} is not in the style x object grid")
    return kind


def other(domain: Domain) -> Domain:
    """Return the other domain."""
    return "object" if domain == "style" else "style"


def matches(answers: Answers, domain: Domain) -> Bool[np.ndarray, " n"]:
    """Return whether the detected name is the one asked for."""
    return np.asarray(answers.asked(domain) == answers.seen(domain))


def accuracy(answers: Answers, domain: Domain) -> Score:
    """Return the percentage of images whose detected name is the one asked for.

    Args:
        answers: The images that count; every cell at every seed.
        domain: Which detector answers.

    Raises:
        ValueError: If there are no images.
    """
    return share_of(matches(answers, domain), answers.cells, answers.seeds)


def share_of(
    counted: Bool[np.ndarray, " n"],
    cells: Sequence[Hashable],
    seeds: Sequence[int],
    *,
    higher_is_better: bool = True,
) -> Score:
    """Return the percentage of images that count, with the interval over cells.

    Raises:
        ValueError: If there are no images, or not every cell has every seed exactly once.
    """
    if not len(counted):
        raise ValueError("no images to count; the share is undefined")
    interval = share_ends(grid(counted, cells, seeds)).interval()
    return Score(
        value=100 * int(counted.sum()) / len(counted),
        n=len(counted),
        low=100 * interval.low,
        high=100 * interval.high,
        higher_is_better=higher_is_better,
    )


def mean_of(
    values: Float[np.ndarray, " n"],
    cells: Sequence[Hashable],
    seeds: Sequence[int],
    *,
    unit: str,
    higher_is_better: bool = False,
) -> Score:
    """Return the mean of a number >= 0 an image, a distance if nothing is said, over cells."""
    ends = mean_ends(grid(values, cells, seeds))
    return Score(
        value=float(values.mean()),
        n=len(values),
        low=None if ends is None else max(0.0, float(ends.low)),
        high=None if ends is None else float(ends.high),
        unit=unit,
        higher_is_better=higher_is_better,
    )
