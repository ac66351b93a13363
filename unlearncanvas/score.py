"""Answers to scores: per target, and averaged over targets."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from metrics.base import Metric
from metrics.intervals import bootstrap_targets
from metrics.share import accuracy
from unlearncanvas.config import load_metric
from unlearncanvas.detect import DetectorPair
from unlearncanvas.protocol import Protocol
from unlearncanvas.types import Answers, Cell, Concept, Domain, Question, Reference, Score


def metrics_of(protocol: Protocol) -> dict[str, Metric]:
    """Return the protocol's metrics by name."""
    return {name: load_metric(name) for name in protocol.metrics}


def target_scores(
    protocol: Protocol, answers: Answers, target: Concept, reference: Reference
) -> dict[str, Score]:
    """Return every metric of the protocol for one erased model.

    Raises:
        ValueError: If an image of the grid is missing; a missing image is never an answer.
    """
    check_complete(protocol, answers)
    question = Question(
        answers=answers,
        target=target,
        plain_style=protocol.plain_style,
        reference=reference,
    )
    return {name: metric.compute(question) for name, metric in metrics_of(protocol).items()}


def check_complete(protocol: Protocol, answers: Answers) -> None:
    """Refuse answers that are not one image for every cell at every seed."""
    seen = set(zip(answers.cells, answers.seeds, strict=True))
    wanted = {(cell, seed) for cell in protocol.cells() for seed in set(answers.seeds)}
    missing = wanted - seen
    if missing or len(answers.cells) != len(wanted):
        raise ValueError(
            f"the grid needs {len(wanted)} images, got {len(answers.cells)}, "
            f"{len(missing)} missing; run the same command again to draw them"
        )


def concept_accuracy(protocol: Protocol, answers: Answers) -> dict[str, Score]:
    """Return, for every concept of the grid, how often it is found where it was asked for."""
    scores = {}
    by_domain: dict[Domain, Sequence[str]] = {
        "style": protocol.styles,
        "object": protocol.objects,
    }
    for domain, names in by_domain.items():
        for name in names:
            chosen = answers.select(answers.asked(domain) == name)
            scores[f"{domain}:{name}"] = accuracy(chosen, domain)
    return scores


def mean_scores(per_target: Sequence[Mapping[str, Score]]) -> dict[str, Score]:
    """Return the mean of each metric over targets, with an interval from five targets on."""
    means = {}
    for name, first in per_target[0].items():
        values = np.array([scores[name].value for scores in per_target])
        interval = bootstrap_targets(values)
        means[name] = Score(
            value=float(values.mean()),
            n=len(values),
            low=None if interval is None else interval.low,
            high=None if interval is None else interval.high,
            unit=first.unit,
            higher_is_better=first.higher_is_better,
        )
    return means


@cache
def _painted_features(
    split: str, cells: tuple[Cell, ...], start: int, count: int, detectors: DetectorPair
) -> Reference:
    from unlearncanvas.minicanvas.painter import SPLITS, paint

    first = SPLITS[split] + start
    asked = [(cell, first + index) for cell in cells for index in range(count)]
    images = np.stack([np.asarray(paint(cell.style, cell.object, at)) for cell, at in asked])
    features = detectors.detect(images).features.astype(np.float16).astype(np.float64)
    return Reference(cells=[cell for cell, _ in asked], features=features)


def painted_reference(
    protocol: Protocol, detectors: DetectorPair, count: int, *, start: int = 0
) -> Reference:
    """Return features of ``count`` held-out painted images a cell."""
    cells = tuple(protocol.cells())
    return _painted_features(protocol.reference.split, cells, start, count, detectors)


def floors(protocol: Protocol, detectors: DetectorPair, count: int) -> dict[str, Score]:
    """Return the metrics that need a reference, for real images against other real images.

    What FID and KID are at this n when nothing is wrong.
    """
    real = painted_reference(protocol, detectors, count, start=count)
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
        reference=painted_reference(protocol, detectors, count),
    )
    return {
        name: metric.compute(question)
        for name, metric in metrics_of(protocol).items()
        if metric.needs_reference
    }
