"""The columns of a board, the same on the page, in Markdown, CSV and LaTeX."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from metrics.base import Score
from unlearncanvas.publish.report.collect import Leaderboard, LeaderboardRow
from unlearncanvas.results.headings import (
    directed,
    headings_of,
    interval_text,
    intervals_of,
    value_text,
)
from unlearncanvas.results.schema import Row
from unlearncanvas.results.tables import size

Number = Callable[[Row], float | None]
COSTS: tuple[tuple[str, Number, Callable[[float], str]], ...] = (
    (
        "UFE ↓",
        lambda row: None if row.ufe is None else row.ufe + row.gallery_ufe,
        lambda value: f"{value:,.0f}",
    ),
    ("seconds ↓", lambda row: row.erase_seconds, lambda value: f"{value:,.1f}"),
    ("peak ↓", lambda row: row.peak_memory_bytes, size),
    ("stored ↓", lambda row: row.stored_bytes, size),
    ("UFE an image ↓", lambda row: row.ufe_per_image, lambda value: f"{value:,.1f}"),
)
TEXTS = ("family", "leaves", "measured")
"""Columns of facts about an eraser and its run."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column.

    Attributes:
        heading: With an arrow that says what is better.
        kind: Kind of targets, of a score; empty for text and cost.
        name: Metric; or what of the entry it shows.
        first: How the first click sorts: ``up`` or ``down``.
        digits: Digits of a score; None: fewer of large ones.
    """

    heading: str
    kind: str
    name: str
    first: str
    digits: int | None = None

    def score(self, entry: LeaderboardRow) -> Score | None:
        """Return the entry's score in this column, if it is one of scores."""
        return entry.score(self.kind, self.name) if self.kind else None

    def cell(self, entry: LeaderboardRow) -> dict[str, Any]:
        """Return what the page shows."""
        if self.kind:
            return {"kind": "score", "score": self.score(entry), "digits": self.digits}
        if self.name in TEXTS:
            return {"kind": "text", "text": self.text(entry)}
        value = _cost(entry, self.name)
        return {"kind": "cost", "value": "" if value is None else value, "text": self.text(entry)}

    def text(self, entry: LeaderboardRow) -> str:
        """Return the cell as text."""
        if self.kind:
            score = self.score(entry)
            if score is None:
                return ""
            lines = value_text(score, self.digits), interval_text(score, self.digits)
            return " ".join(lines).strip()
        if self.name == "measured":
            return entry.trust
        if self.name in TEXTS:
            return str(getattr(entry.about, self.name))
        value = _cost(entry, self.name)
        shown = next(show for heading, _, show in COSTS if heading == self.name)
        return "" if value is None else shown(value)


def columns_of(board: Leaderboard) -> list[Column]:
    """Return a board's columns: scores of both kinds of targets, costs, facts."""
    columns = []
    for kind in board.targets:
        rows = [row.scores for row in board.run.rows if row.kind == kind]
        for name, label, digits in headings_of(rows):
            score = next(row[name] for row in rows if name in row)
            columns.append(
                Column(
                    heading=f"{kind} {directed(label, score)}",
                    kind=kind,
                    name=name,
                    first="down" if score.higher_is_better else "up",
                    digits=digits,
                )
            )
    columns += [Column(heading=name, kind="", name=name, first="up") for name, _, _ in COSTS]
    columns += [Column(heading=name, kind="", name=name, first="up") for name in TEXTS]
    return columns


def intervals_text(board: Leaderboard) -> str:
    """Return what a board's intervals are about, for each kind of targets where that differs."""
    said = {}
    for kind, targets in board.targets.items():
        rows = [entry.rows[kind] for entry in board.entries.values() if kind in entry.rows]
        scores = [score for row in rows for score in row.scores.values()]
        said[kind] = intervals_of(scores, len(targets))
    if len(set(said.values())) == 1:
        return f"Intervals: {next(iter(said.values()))}"
    return "Intervals: " + "; ".join(f"{kind} targets: {text}" for kind, text in said.items())


def _cost(entry: LeaderboardRow, heading: str) -> float | None:
    """The mean of a cost over both kinds of targets."""
    of = next(number for name, number, _ in COSTS if name == heading)
    known = [value for value in map(of, entry.rows.values()) if value is not None]
    return sum(known) / len(known) if known else None
