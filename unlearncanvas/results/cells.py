"""Numbers as the cells of a table."""

from metrics.base import Score
from unlearncanvas.results.headings import interval_text, value_text

BASELINES = ("none", "noise")
"""Erasers whose rows stand in every table of the grid, to read the others by."""


def score_cell(score: Score | None, digits: int | None = None) -> str:
    """Return a score as text, ``93.1 [90.2, 95.4]``; nothing of no score."""
    if score is None:
        return ""
    return " ".join(filter(None, (value_text(score, digits), interval_text(score, digits))))


def size(num_bytes: float) -> str:
    """Return bytes in the unit a person would use."""
    for unit in ("B", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"
