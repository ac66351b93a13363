"""The columns of a leaderboard, the same on the page, in Markdown, CSV and LaTeX."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from metrics.base import Score
from unlearncanvas.publish.report.leaderboards import Leaderboard, LeaderboardRow
from unlearncanvas.results.cells import score_cell, size
from unlearncanvas.results.headings import directed, headings_of, intervals_of
from unlearncanvas.results.schema import MeanRow

Number = Callable[[MeanRow], float | None]
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
        name: Metric; or what of the row it shows.
        first: How the first click sorts: ``up`` or ``down``.
        digits: Digits of a score; None: fewer of large ones.
    """

    heading: str
    kind: str
    name: str
    first: str
    digits: int | None = None

    def score(self, row: LeaderboardRow) -> Score | None:
        """Return the row's score in this column, if it is one of scores."""
        return row.score(self.kind, self.name) if self.kind else None

    def cell(self, row: LeaderboardRow) -> dict[str, Any]:
        """Return what the page shows."""
        if self.kind:
            return {"kind": "score", "score": self.score(row), "digits": self.digits}
        if self.name in TEXTS:
            return {"kind": "text", "text": self.text(row)}
        value = _cost(row, self.name)
        return {"kind": "cost", "value": "" if value is None else value, "text": self.text(row)}

    def text(self, row: LeaderboardRow) -> str:
        """Return the cell as text."""
        if self.kind:
            return score_cell(self.score(row), self.digits)
        if self.name == "measured":
            return row.trust
        if self.name in TEXTS:
            return str(getattr(row.about, self.name))
        value = _cost(row, self.name)
        shown = next(show for heading, _, show in COSTS if heading == self.name)
        return "" if value is None else shown(value)


def columns_of(leaderboard: Leaderboard) -> list[Column]:
    """Return a leaderboard's columns: scores of both kinds of targets, costs, facts."""
    columns = []
    for kind in leaderboard.targets:
        rows = [row.scores for row in leaderboard.first.means if row.kind == kind]
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


def intervals_text(leaderboard: Leaderboard) -> str:
    """Return what the intervals are about, for each kind of targets where that differs."""
    said = {}
    for kind, targets in leaderboard.targets.items():
        means = [row.means[kind] for row in leaderboard.rows.values() if kind in row.means]
        scores = [score for mean in means for score in mean.scores.values()]
        said[kind] = intervals_of(scores, len(targets))
    if len(set(said.values())) == 1:
        return f"Intervals: {next(iter(said.values()))}"
    return "Intervals: " + "; ".join(f"{kind} targets: {text}" for kind, text in said.items())


def _cost(row: LeaderboardRow, heading: str) -> float | None:
    """The mean of a cost over both kinds of targets."""
    of = next(number for name, number, _ in COSTS if name == heading)
    known = [value for value in map(of, row.means.values()) if value is not None]
    return sum(known) / len(known) if known else None
