"""Rows of single targets to their means: one for each label and kind of target."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from unlearncanvas.results.aggregate import mean_scores
from unlearncanvas.results.schema2 import MeanRow, Row


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
