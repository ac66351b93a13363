"""Numbers of the grid's rows, for trackers."""

from collections.abc import Iterable

from unlearncanvas.engine.tracked_run import numbers
from unlearncanvas.results.schema import Row

COSTS = ("ufe", "erase_seconds", "stored_bytes", "peak_memory_bytes", "ufe_per_image")


def scores_of(rows: Iterable[Row]) -> dict[str, float]:
    """Return the mean scores of an eraser's rows with their intervals, and their costs."""
    found: dict[str, float] = {}
    for row in rows:
        found |= numbers(row.kind, row.scores, {name: getattr(row, name) for name in COSTS})
    return found
