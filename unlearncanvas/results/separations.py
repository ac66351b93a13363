"""Which rows of a leaderboard differ, measure by measure, as tables and letters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from metrics.separation import Separation
from unlearncanvas.results.export import Column, Table
from unlearncanvas.results.headings import Heading

APART, APART_UNADJUSTED, ALIKE, SELF = "x", "o", "-", "."
"""Marks of a pair."""


@final
@dataclass(frozen=True, kw_only=True)
class SeparatedRows:
    """One measure of several rows on the same cells.

    Attributes:
        kind: What it was measured on: ``style`` targets, ``object`` targets, or one attack.
        heading: How its metric is shown.
        labels: The rows.
        found: Which of them differ.
    """

    kind: str
    heading: Heading
    labels: tuple[str, ...]
    found: Separation

    @property
    def title(self) -> str:
        """What was measured, with an arrow that says what is better."""
        return f"{self.kind} {self.heading.label} {'↑' if self.found.higher_is_better else '↓'}"

    @property
    def counts(self) -> tuple[int, int, int]:
        """Pairs told apart one by one, told apart among all, and all pairs."""
        pairs = self.found.pairs
        unadjusted = sum(pair.apart_unadjusted for pair in pairs)
        return unadjusted, sum(pair.apart for pair in pairs), len(pairs)

    def value(self, row: int) -> str:
        """Return the mean of a row as text."""
        return f"{self.found.means[row]:.{_digits(self.heading)}f}"

    def letters(self) -> dict[str, str]:
        """Return the letters of each row, by its label."""
        return dict(zip(self.labels, self.found.letters(), strict=True))


def summary_table(measured: Sequence[SeparatedRows], left_out: Sequence[str] = ()) -> Table:
    """Return how many pairs each measure tells apart, and which measures are left out."""
    rows = len(measured[0].labels)
    return Table(
        title=f"Pairs of {rows} erasers that each measure tells apart",
        columns=(
            Column("measure", "left"),
            Column("one by one"),
            Column("simultaneously"),
            Column("pairs"),
        ),
        rows=[(item.title, *map(str, item.counts)) for item in measured],
        caption="95 % bootstrap intervals over cells, for each pair alone and for all at once"
        + (f"; too few images have a value of: {', '.join(left_out)}" if left_out else ""),
    )


def separation_table(measured: SeparatedRows) -> Table:
    """Return means, ranks, groups and pairs of one measure, the best row first."""
    found = measured.found
    ranks, letters = found.ranks(), found.letters()
    unadjusted, apart, pairs = measured.counts
    marks = _marks(found)
    return Table(
        title=f"{measured.title}: {unadjusted} of {pairs} pairs told apart, {apart} simultaneously",
        columns=(
            Column("", wrap=False),
            Column("eraser", "left"),
            Column("mean", wrap=False),
            Column("rank", wrap=False),
            Column("groups", "left"),
            Column("against 1, 2, ...", "left", wrap=False),
        ),
        rows=[
            (
                f"{place}",
                measured.labels[row],
                measured.value(row),
                f"{ranks[row].best}-{ranks[row].worst}",
                letters[row],
                " ".join(marks[row, other] for other in found.order),
            )
            for place, row in enumerate(found.order, start=1)
        ],
        caption=(
            f"{APART} told apart among all pairs, {APART_UNADJUSTED} only as a pair alone, "
            f"{ALIKE} not; erasers with a letter in common are not told apart"
        ),
    )


def _marks(found: Separation) -> dict[tuple[int, int], str]:
    """A mark for every two rows, in both orders."""
    marks = {(row, row): SELF for row in range(len(found.means))}
    for pair in found.pairs:
        mark = APART if pair.apart else APART_UNADJUSTED if pair.apart_unadjusted else ALIKE
        marks[pair.first, pair.second] = marks[pair.second, pair.first] = mark
    return marks


def _digits(heading: Heading) -> int:
    return 3 if heading.digits is None else heading.digits
