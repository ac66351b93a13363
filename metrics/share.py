"""A share of images in percent, with its interval: what all accuracies have in common."""

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torchmetrics.functional.classification import multiclass_accuracy

from metrics.intervals import bootstrap_cells_and_seeds, wilson
from unlearncanvas.types import Answers, Domain, Question, Score


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


def accuracy(
    answers: Answers, domain: Domain, *, wrong: bool = False, higher_is_better: bool = True
) -> Score:
    """Return the percentage of images whose detected name is the one asked for.

    Args:
        answers: The images that count; every cell at every seed.
        domain: Which detector answers.
        wrong: Count the images where it is *not* the one asked for.
        higher_is_better: Direction, passed on.

    Raises:
        ValueError: If there are no images.
    """
    asked, seen = answers.asked(domain), answers.seen(domain)
    if not len(asked):
        raise ValueError(f"no images to judge by {domain}; the accuracy is undefined")
    names = np.unique(np.concatenate([asked, seen]))
    right = multiclass_accuracy(
        torch.from_numpy(np.searchsorted(names, seen)),
        torch.from_numpy(np.searchsorted(names, asked)),
        num_classes=max(2, len(names)),
        average="micro",
    )
    share = float(1 - right) if wrong else float(right)
    counted: Bool[np.ndarray, " n"] = (asked != seen) if wrong else (asked == seen)
    score = share_of(counted, answers.cells, answers.seeds, higher_is_better=higher_is_better)
    return score.model_copy(update={"value": 100 * share})


def share_of(
    counted: Bool[np.ndarray, " n"],
    cells: Sequence[Hashable],
    seeds: Sequence[int],
    *,
    higher_is_better: bool = True,
) -> Score:
    """Return the percentage of images that count: bootstrap of cells and seeds, Wilson at 0, 100.

    Raises:
        ValueError: If there are no images, or not every cell has every seed exactly once.
    """
    if not len(counted):
        raise ValueError("no images to count; the share is undefined")
    share = float(counted.mean())
    if share in (0.0, 1.0):
        interval = wilson(share, len(counted))
    else:
        interval = bootstrap_cells_and_seeds(counted, cells, seeds)
    return Score(
        value=100 * share,
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
    """Return the mean of a number an image, a distance if nothing is said, same bootstrap."""
    interval = bootstrap_cells_and_seeds(values, cells, seeds)
    return Score(
        value=float(values.mean()),
        n=len(values),
        low=interval.low,
        high=interval.high,
        unit=unit,
        higher_is_better=higher_is_better,
    )
