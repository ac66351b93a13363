"""A share of images in percent, with its interval: what all accuracies have in common."""

import numpy as np
import torch
from jaxtyping import Bool
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
    if share in (0.0, 1.0):
        interval = wilson(share, len(counted))
    else:
        interval = bootstrap_cells_and_seeds(counted, answers.cells, answers.seeds)
    return Score(
        value=100 * share,
        n=len(counted),
        low=100 * interval.low,
        high=100 * interval.high,
        higher_is_better=higher_is_better,
    )
