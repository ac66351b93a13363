"""Results of single targets to the rows of a table: one an eraser and kind of target."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from metrics.base import Score
from metrics.intervals import MIN_TARGETS, Bounds, average_bounds, target_bounds
from unlearncanvas.core.method_config import load_metric
from unlearncanvas.core.registry import names
from unlearncanvas.results.schema import BASELINES, Result, Row


def mean_rows(results: Sequence[Result], *, name_seeds: bool = False) -> tuple[Row, ...]:
    """Return the mean over targets of each eraser, styles and objects apart.

    Args:
        results: Of single targets.
        name_seeds: Keep the erasing seeds apart, named in the rows.
    """
    groups: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        seeded = name_seeds and result.eraser not in BASELINES
        label = f"{result.eraser} seed {result.erase_seed}" if seeded else result.eraser
        groups[label, result.target.partition(":")[0]].append(result)
    return tuple(_row(label, kind, group) for (label, kind), group in groups.items())


def _row(label: str, kind: str, results: Sequence[Result]) -> Row:
    costs = [result.cost for result in results if result.cost is not None]
    peaks = [cost.peak_memory_bytes for cost in costs if cost.peak_memory_bytes is not None]
    return Row(
        label=label,
        kind="style" if kind == "style" else "object",
        targets=tuple(result.target for result in results),
        scores=mean_scores([result.scores for result in results]),
        ufe=_mean(cost.ufe for cost in costs),
        gallery_ufe=_mean(cost.gallery_ufe for cost in costs) or 0.0,
        erase_seconds=_mean(cost.seconds for cost in costs),
        stored_bytes=_mean(cost.stored_bytes for cost in costs),
        peak_memory_bytes=max(peaks, default=None),
        seconds_per_image=_mean(
            result.seconds_per_image for result in results if result.seconds_per_image is not None
        ),
        ufe_per_image=_mean(
            result.ufe_per_image for result in results if result.ufe_per_image is not None
        ),
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
