"""Results of single targets to the rows of a table: one an eraser and kind of target."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from unlearncanvas.plan import BASELINES
from unlearncanvas.results import Row
from unlearncanvas.score import mean_scores
from unlearncanvas.types import Result


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
