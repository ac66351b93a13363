"""Rows of several runs to what each measure tells apart, from the values of single images."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from metrics.per_image import PerImage
from metrics.separation import LEAST_CELLS, Separation, separate
from unlearncanvas.core.registry import names
from unlearncanvas.engine.stored_rows import StoredRows
from unlearncanvas.publish.report.leaderboards import Leaderboard, LeaderboardRow, Run
from unlearncanvas.results.headings import headings_of
from unlearncanvas.results.schema import Row, group_name
from unlearncanvas.results.separations import SeparatedRows

_log = logging.getLogger(__name__)
Values = Mapping[str, Mapping[str, PerImage]]
"""Values of single images of one row, by what they were measured on and score."""


@final
@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the erasers that are compared.

    Attributes:
        label: Its name in tables.
        run_label: Its name in the run's results.
        run: The run that it is from.
        rows: By what they were measured on.
    """

    label: str
    run_label: str
    run: Run
    rows: Mapping[str, Row]

    def per_image(self, name: str) -> Mapping[str, PerImage]:
        """Return the values of single images of one row, by score; they are read once."""
        if name not in self._values:
            self._values[name] = self._stored.per_image(name)
        return self._values[name]

    @cached_property
    def _values(self) -> dict[str, Mapping[str, PerImage]]:
        return {}

    @cached_property
    def _stored(self) -> StoredRows:
        run = self.run
        return StoredRows(path=run.path, results=run.results, rows=self.rows, file_of=run.file_of)


def shared_groups(sides: Sequence[Side]) -> list[str]:
    """Return what all of them were measured on, in the order of the first."""
    return [name for name in sides[0].rows if all(name in side.rows for side in sides)]


def separated(sides: Sequence[Side], measures: Collection[str] = ()) -> list[SeparatedRows]:
    """Return what each measure tells apart, for each kind of targets or each attack.

    A measure counts if all have a value of it for every image, of cells enough to be drawn again.

    Args:
        sides: At least two.
        measures: Names of scores; empty: all.

    Raises:
        ValueError: If images of a row cannot be read.
    """
    kinds = defaultdict(list)
    for name in shared_groups(sides):
        kinds[_kind(sides[0].rows[name])].append(name)
    labels = tuple(side.label for side in sides)
    found = []
    for kind, groups in kinds.items():
        values = [{name: side.per_image(name) for name in groups} for side in sides]
        for heading in headings_of(sides[0].rows[name].scores for name in groups):
            known = all(heading.name in scores for side in values for scores in side.values())
            if not known or (measures and heading.name not in measures):
                continue
            score = sides[0].rows[groups[0]].scores[heading.name]
            apart = separation_of(values, heading.name, higher_is_better=score.higher_is_better)
            if apart is not None:
                found.append(SeparatedRows(kind=kind, heading=heading, labels=labels, found=apart))
    return found


def separation_of(
    rows: Sequence[Values], score: str, *, higher_is_better: bool
) -> Separation | None:
    """Return which rows a score tells apart, by the images that all have; None of few cells."""
    means = [dict(_cell_means(row, score, rows)) for row in rows]
    cells = [cell for _, cell in means[0]]
    if len(set(cells)) < LEAST_CELLS:
        return None
    return separate(
        np.array([list(row.values()) for row in means]),
        targets=[name for name, _ in means[0]],
        cells=cells,
        higher_is_better=higher_is_better,
    )


def separated_rows(leaderboard: Leaderboard) -> list[SeparatedRows]:
    """Return what each measure tells apart among a leaderboard's tested rows, from three on.

    Rows whose images are not beside their results do not count.
    """
    sides = [
        Side(label=row.label, run_label=row.run_label, run=row.run, rows=row.rows)
        for row in leaderboard.rows.values()
        if row.status != "reference" and row.rows and _is_readable(row)
    ]
    if len(sides) < 3:
        return []
    found = [side for side in sides if _has_values(side)]
    return separated(found) if len(found) >= 3 else []


def _has_values(side: Side) -> bool:
    """Whether the images of an eraser can be read and scored; a line says if they cannot."""
    try:
        for name in side.rows:
            side.per_image(name)
    except ValueError as exc:
        _log.warning("%s is left out of what can be told apart: %s", side.label, exc)
        return False
    return True


def _is_readable(row: LeaderboardRow) -> bool:
    """Whether a row's images are there, and its protocol may be read.

    A protocol names the code of its evaluation: a stranger's must be one of this package.
    """
    results = row.run.results
    protocol = results.protocol if results.config is None else results.config.get("protocol")
    ours = row.trust == "measured here" or protocol in names("protocols")
    return ours and all(map(row.run.has_images, row.rows.values()))


def _kind(row: Row) -> str:
    """The kind of a target; what else a row was measured on is a kind of its own."""
    target = row.group.get("target")
    return group_name(row.group) if target is None else target.partition(":")[0]


def _cell_means(
    row: Values, score: str, rows: Sequence[Values]
) -> Iterator[tuple[tuple[str, object], float]]:
    """Yield the mean over the seeds that all rows have, for each group and cell that all have."""
    for name, scores in row.items():
        images = scores[score]
        every = [other[name][score] for other in rows]
        shared = set.intersection(*(set(zip(one.cells, one.seeds, strict=True)) for one in every))
        values = defaultdict(list)
        for value, cell, seed in zip(images.in_unit, images.cells, images.seeds, strict=True):
            if (cell, seed) in shared:
                values[cell].append(value)
        for cell in sorted(values, key=str):
            yield (name, cell), float(np.mean(values[cell]))
