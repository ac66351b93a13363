"""Rows of single targets to their means: one for each label and kind of target."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from metrics.base import Score
from metrics.intervals import MIN_TARGETS, Bounds, average_bounds, target_bounds
from unlearncanvas.core.method_config import load_metric
from unlearncanvas.core.registry import names
from unlearncanvas.results.schema import MeanRow, Row


def mean_rows(rows: Sequence[Row]) -> tuple[MeanRow, ...]:
    """Return the mean over targets of each label, styles and objects apart."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.label, row.group["target"].partition(":")[0]].append(row)
    return tuple(_mean_row(label, kind, group) for (label, kind), group in groups.items())


def _mean_row(label: str, kind: str, rows: Sequence[Row]) -> MeanRow:
    costs = [row.cost for row in rows if row.cost is not None]
    peaks = [cost.peak_memory_bytes for cost in costs if cost.peak_memory_bytes is not None]
    return MeanRow(
        label=label,
        kind="style" if kind == "style" else "object",
        targets=tuple(row.group["target"] for row in rows),
        scores=mean_scores([row.scores for row in rows]),
        ufe=_mean(cost.ufe for cost in costs),
        gallery_ufe=_mean(cost.gallery_ufe for cost in costs) or 0.0,
        erase_seconds=_mean(cost.seconds for cost in costs),
        stored_bytes=_mean(cost.stored_bytes for cost in costs),
        peak_memory_bytes=max(peaks, default=None),
        seconds_per_image=_mean(
            row.seconds_per_image for row in rows if row.seconds_per_image is not None
        ),
        ufe_per_image=_mean(row.ufe_per_image for row in rows if row.ufe_per_image is not None),
    )


def _mean(values: Iterable[float]) -> float | None:
    """The mean; None of nothing."""
    found = list(values)
    return float(np.mean(found)) if found else None


def mean_scores(per_target: Sequence[Mapping[str, Score]]) -> dict[str, Score]:
    """Return the mean of each metric over targets, with what its interval is over."""
    return {
        name: _mean_score(name, [scores[name] for scores in per_target]) for name in per_target[0]
    }


def _mean_score(name: str, scores: Sequence[Score]) -> Score:
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
