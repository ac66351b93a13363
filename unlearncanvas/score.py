"""Answers to scores: per target, and averaged over targets."""

from collections.abc import Mapping, Sequence

import numpy as np

from metrics.base import Metric
from metrics.intervals import MIN_TARGETS, Bounds, average_bounds, target_bounds
from metrics.proportion import accuracy
from unlearncanvas.config import load_metric, names
from unlearncanvas.protocol import Protocol
from unlearncanvas.reference import ReferenceRoom
from unlearncanvas.types import Answers, Concept, Domain, Question, Reference, Score


def metrics_of(names: Sequence[str], question: Question) -> dict[str, Metric]:
    """Return metrics by name, without those whose features nobody could make."""
    metrics = {name: load_metric(name) for name in names}
    there = question.answers.features if question.reference is not None else {}
    return {
        name: metric
        for name, metric in metrics.items()
        if not metric.needs_reference or metric.extractor in there
    }


def target_scores(
    protocol: Protocol, answers: Answers, target: Concept, reference: Reference | None
) -> dict[str, Score]:
    """Return every metric of the protocol for one erased model.

    Without ``reference``, those that compare with real images are left out.

    Raises:
        ValueError: If an image of the grid is missing; a missing image is never an answer.
    """
    cells = set(protocol.cells_for(target))
    answers = answers.select(np.array([cell in cells for cell in answers.cells]))
    check_complete(protocol, answers, target)
    question = Question(
        answers=answers,
        target=target,
        plain_style=protocol.plain_style,
        reference=None if reference is None else reference.only(cells),
    )
    return {
        name: metric.compute(question)
        for name, metric in metrics_of(protocol.metrics, question).items()
    }


def check_complete(protocol: Protocol, answers: Answers, target: Concept) -> None:
    """Refuse answers that are not one image for every cell of a target at every seed."""
    seen = set(zip(answers.cells, answers.seeds, strict=True))
    cells = protocol.cells_for(target)
    wanted = {(cell, seed) for cell in cells for seed in set(answers.seeds)}
    missing = wanted - seen
    if missing or len(answers.cells) != len(wanted):
        raise ValueError(
            f"the grid needs {len(wanted)} images, got {len(answers.cells)}, "
            f"{len(missing)} missing; run the same command again to draw them"
        )


def check_base(answers: Answers, *, model: str, wanted: float) -> None:
    """Refuse a base model whose own images the detectors do not recognise.

    Args:
        answers: What it draws.
        model: Its name.
        wanted: Percent that each detector must recognise.

    Raises:
        ValueError: If one does not.
    """
    domains: tuple[Domain, ...] = ("style", "object")
    for domain in domains:
        found = accuracy(answers, domain).value
        if found < wanted:
            raise ValueError(
                f"the {domain} detector recognises {found:.1f} % of what {model!r} draws before "
                f"anything is erased, {wanted:.0f} % are needed: it was not made for this base "
                "model (plain Stable Diffusion gives about 11 %). Use the checkpoints fine-tuned "
                "on UnlearnCanvas, or --any-base to go on all the same"
            )


def concept_accuracy(protocol: Protocol, answers: Answers) -> dict[str, Score]:
    """Return, for every concept of the grid, how often it is found where it was asked for."""
    scores = {}
    by_domain: dict[Domain, Sequence[str]] = {
        "style": protocol.styles,
        "object": protocol.objects,
    }
    for domain, concepts in by_domain.items():
        for name in concepts:
            chosen = answers.select(answers.asked(domain) == name)
            scores[f"{domain}:{name}"] = accuracy(chosen, domain)
    return scores


def mean_scores(per_target: Sequence[Mapping[str, Score]]) -> dict[str, Score]:
    """Return the mean of each metric over targets, with what its interval is over."""
    return {name: _mean(name, [scores[name] for scores in per_target]) for name in per_target[0]}


def _mean(name: str, scores: Sequence[Score]) -> Score:
    """From five targets on over new targets, else over the cells of these.

    Never narrower than the images of these targets make it: three that all have 100 % do not say
    that every other one will.
    """
    values = np.array([score.value for score in scores])
    many = len(values) >= MIN_TARGETS
    mean = Score(
        value=float(values.mean()),
        n=len(values),
        unit=scores[0].unit,
        higher_is_better=scores[0].higher_is_better,
    )
    found = []
    if many:
        found.append(target_bounds(values, percent=mean.unit == "%"))
    if all(score.low is not None for score in scores):
        known = Bounds(*(np.array([getattr(one, end) for one in scores]) for end in Bounds._fields))
        apart = many or (name in names("metrics") and load_metric(name).on_target)
        found.append(average_bounds(values, known, shared=not apart))
    if not found:
        return mean
    ends = {
        "low": min(float(one.low) for one in found),
        "high": max(float(one.high) for one in found),
    }
    return mean.model_copy(update={**ends, "over": "targets" if many else "cells"})


def floors(protocol: Protocol, room: ReferenceRoom, count: int) -> dict[str, Score]:
    """Return the metrics that need a reference, for real images against other real images.

    What FID and KID are at this n when nothing is wrong.
    """
    real = room.real(count, start=count)
    answers = Answers(
        cells=real.cells,
        seeds=[index % count for index in range(len(real.cells))],
        style_pred=[cell.style for cell in real.cells],
        object_pred=[cell.object for cell in real.cells],
        features=real.features,
    )
    question = Question(
        answers=answers,
        target=Concept(kind="trigger", name="none"),  # a trigger has no cell: the whole grid
        plain_style=protocol.plain_style,
        reference=room.real(count),
    )
    return {
        name: metric.compute(question)
        for name, metric in metrics_of(protocol.metrics, question).items()
        if metric.needs_reference
    }
