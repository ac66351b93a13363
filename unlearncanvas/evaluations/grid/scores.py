"""Scores of one target from predictions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from metrics.base import Metric, MetricInputs, Predictions, RealFeatures, Score
from metrics.per_image import PerImageMetric
from metrics.proportion import accuracy
from unlearncanvas.core.method_config import load_metric
from unlearncanvas.engine.job import Scored
from unlearncanvas.engine.reference_features import ReferenceFeatures
from unlearncanvas.evaluations.grid.protocol import GridProtocol
from unlearncanvas.types import Cell, Concept, Domain

Worded = Mapping[str, Predictions]
"""Images in other wordings, by image set."""


def metrics_of(
    names: Sequence[str], inputs: MetricInputs, worded: Worded | None = None
) -> dict[str, tuple[Metric, MetricInputs]]:
    """Return metrics by name with what each is given.

    Left out are those that compare with features or base images that there are none of, and,
    without ``worded``, those that read images in other wordings.
    """
    metrics = {name: load_metric(name) for name in names}
    there = inputs.predictions.features if inputs.reference is not None else {}
    return {
        name: (metric, _given(metric, inputs, worded))
        for name, metric in metrics.items()
        if (not metric.needs_reference or metric.extractor in there)
        and (not metric.needs_base or inputs.base is not None)
        and (worded is not None or not metric.image_sets)
    }


def _given(metric: Metric, inputs: MetricInputs, worded: Worded | None) -> MetricInputs:
    """The inputs with the images that a metric is about: the grid's, or those of other wordings."""
    if not metric.image_sets or worded is None:
        return inputs
    parts = [worded[name] for name in metric.image_sets]
    return replace(inputs, predictions=Predictions.pooled(parts))


def measured(names: Sequence[str], inputs: MetricInputs, worded: Worded | None = None) -> Scored:
    """Return the scores of metrics by name, without those that :func:`metrics_of` leaves out."""
    scores, per_image = {}, {}
    for name, (metric, given) in metrics_of(names, inputs, worded).items():
        if isinstance(metric, PerImageMetric):
            per_image[name] = metric.per_image(given)
            scores[name] = metric.summarize(per_image[name])
        else:
            scores[name] = metric.compute(given)
    return Scored(scores, per_image=per_image)


def target_scores(
    protocol: GridProtocol,
    predictions: Predictions,
    target: Concept,
    reference: RealFeatures | None,
    *,
    base: Predictions | None = None,
    worded: Worded | None = None,
) -> Scored:
    """Return every metric of the protocol for one erased model.

    Without ``reference``, those that compare with real images are left out; without ``base``, those
    that compare with the base model's; without ``worded``, those that read other wordings.

    Raises:
        ValueError: If an image of the grid is missing; a missing image never counts as an image.
    """
    cells = set(protocol.cells_for(target))
    inputs = MetricInputs(
        predictions=_within(predictions, cells),
        target=target,
        reference_style=protocol.reference_style,
        reference=None if reference is None else reference.only(cells),
        base=None if base is None else _within(base, cells),
        detector_names={domain: protocol.detectors.names(domain) for domain in get_args(Domain)},
    )
    check_complete("grid", inputs.predictions, cells)
    if worded is not None:
        for name, prompts in protocol.worded_prompts(target).items():
            check_complete(name, worded[name], set(prompts))
    return measured(protocol.metrics, inputs, worded)


def _within(predictions: Predictions, cells: Collection[Cell]) -> Predictions:
    """The images of the target's part of the grid."""
    return predictions.select(np.array([cell in cells for cell in predictions.cells]))


def check_complete(name: str, predictions: Predictions, cells: Collection[Cell]) -> None:
    """Raise ValueError unless there is one image for every cell of an image set at every seed."""
    seen = set(zip(predictions.cells, predictions.seeds, strict=True))
    wanted = {(cell, seed) for cell in cells for seed in set(predictions.seeds)}
    missing = wanted - seen
    if missing or len(predictions.cells) != len(wanted):
        raise ValueError(
            f"the {name} needs {len(wanted)} images, got {len(predictions.cells)}, "
            f"{len(missing)} missing; run the same command again to draw them"
        )


def concept_accuracy(protocol: GridProtocol, predictions: Predictions) -> dict[str, Score]:
    """Return, for every concept of the grid, the share of its images where it is detected."""
    scores = {}
    by_domain: dict[Domain, Sequence[str]] = {
        "style": protocol.styles,
        "object": protocol.objects,
    }
    for domain, concepts in by_domain.items():
        for name in concepts:
            chosen = predictions.select(predictions.asked(domain) == name)
            scores[f"{domain}:{name}"] = accuracy(chosen, domain)
    return scores


def real_vs_real(
    protocol: GridProtocol, reference: ReferenceFeatures, count: int
) -> dict[str, Score]:
    """Return the metrics that need a reference, for real images against other real images.

    They are what FID and KID reach at this n for a perfect model.
    """
    real = reference.real(count, start=count)
    predictions = Predictions(
        cells=real.cells,
        seeds=[index % count for index in range(len(real.cells))],
        style_pred=[cell.style for cell in real.cells],
        object_pred=[cell.object for cell in real.cells],
        features=real.features,
    )
    inputs = MetricInputs(
        predictions=predictions,
        target=Concept(kind="trigger", name="none"),  # a trigger has no cell: the whole grid
        reference_style=protocol.reference_style,
        reference=reference.real(count),
    )
    names = [name for name in protocol.metrics if load_metric(name).needs_reference]
    return measured(names, inputs).scores
