"""Leaderboards as plain data: rows of one evaluation that can be read side by side.

An evaluation with means over targets has one leaderboard for a protocol; one without has a
leaderboard for each group, with the tables that the evaluation lays out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from metrics.base import Score
from unlearncanvas.engine.earlier import of_earlier_protocol
from unlearncanvas.publish.report.registry import EraserMetadata
from unlearncanvas.results.cells import BASELINES
from unlearncanvas.results.schema import MeanRow, Picture, Results, Row, group_text

ENOUGH = 50.0
"""Percent of the rest that must survive; below, a high UA means nothing."""
RowStatus = Literal["reference", "ranked", "degenerate"]
Provenance = Literal["measured here", "verified", "reported"]


class Run(NamedTuple):
    """A result file, and what it holds."""

    path: Path
    results: Results

    def picture(self, picture: Picture) -> Path | None:
        """Return the file of a picture; None if it is gone, or not among this protocol's runs."""
        return self.file_of(picture.path)

    def has_images(self, row: Row) -> bool:
        """Whether the files of a row's images are there, all of them among this protocol's runs."""
        return bool(row.chunks) and None not in map(self.file_of, row.chunks)

    def file_of(self, name: str) -> Path | None:
        """Return a file that the results name; None if it is gone, or not among these runs.

        Results may come from strangers: what they name elsewhere is neither read nor published.
        """
        folder = self.path.resolve().parent
        path = (folder / name).resolve()
        root = folder.parents[min(1, len(folder.parents) - 1)]
        return path if path.is_relative_to(root) and path.is_file() else None


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow:
    """A row of a leaderboard.

    Attributes:
        label: Its name in tables; settings are named where a leaderboard has several of one eraser.
        run_label: Its name in the run's results.
        eraser: Name of the eraser; empty for the base model.
        settings: Those that are not the protocol's own.
        about: Family, paper, what it leaves.
        means: Mean scores, by kind of target; none where the evaluation has no means.
        rows: What every single model scored, by what it was measured on; none where the result file
            holds means only.
        pictures: What shows this row only, by what it shows.
        command: What makes these numbers again; empty if that is not known.
        trust: Who measured them.
        run: The run that they are from.
    """

    label: str
    run_label: str
    eraser: str
    settings: Mapping[str, object]
    about: EraserMetadata
    means: Mapping[str, MeanRow]
    rows: Mapping[str, Row]
    pictures: Mapping[str, Path]
    command: str
    trust: Provenance
    run: Run

    def score(self, kind: str, name: str) -> Score | None:
        """Return a mean score, if there is one."""
        row = self.means.get(kind)
        return None if row is None else row.scores.get(name)

    @property
    def source(self) -> Path:
        """The result file."""
        return self.run.path

    @property
    def status(self) -> RowStatus:
        """Whether it is a row to read others by, or one whose forgetting is destruction."""
        roles = {row.role for row in self.rows.values()}
        if self.eraser in BASELINES or roles == {"baseline"}:
            return "reference"
        kept = [
            row.scores[name].value
            for row in self.means.values()
            for name in ("in_domain_retain_accuracy", "cross_domain_retain_accuracy")
            if name in row.scores
        ]
        return "degenerate" if kept and min(kept) < ENOUGH else "ranked"


@dataclass(kw_only=True)
class Leaderboard:
    """Rows of one evaluation: same protocol, base model, targets and seeds.

    Attributes:
        group: What all rows were measured on; empty where rows are means over targets.
        runs: The runs that the rows are from.
        rows: By label.
    """

    group: dict[str, str]
    runs: list[Run]
    rows: dict[str, LeaderboardRow] = field(default_factory=dict)

    @property
    def first(self) -> Results:
        """Any of the runs; what they have in common."""
        return self.runs[0].results

    @property
    def targets(self) -> dict[str, tuple[str, ...]]:
        """The targets of the means, by kind."""
        return {row.kind: row.targets for row in self.first.means}

    @property
    def title(self) -> str:
        """Protocol, what is measured, number of seeds."""
        parts = [self.first.protocol]
        if of_earlier_protocol(self.first):
            parts.append("earlier protocol")
        if self.group:
            parts.append(group_text(self.group))
        else:
            parts.append(f"{sum(map(len, self.targets.values()))} targets")
        seeds = len(self.first.seeds)
        if seeds:
            parts.append(f"{seeds} seed{'s' if seeds > 1 else ''}")
        return " · ".join(parts)

    def merged(self) -> Results:
        """Return the rows of all runs as those of one, by their labels here."""
        named = {(row.source, row.run_label): label for label, row in self.rows.items()}
        rows = [
            found.model_copy(update={"label": row.label})
            for row in sorted(self.rows.values(), key=lambda row: row.status != "reference")
            for found in row.rows.values()
        ]
        comparisons = [
            item.model_copy(
                update={end: named[run.path, getattr(item, end)] for end in ("first", "second")}
            )
            for run in self.runs
            for item in run.results.comparisons
            if self.group in ({}, item.group)
            and {(run.path, item.first), (run.path, item.second)} <= set(named)
        ]
        return self.first.model_copy(
            update={"rows": tuple(rows), "comparisons": tuple(comparisons)}
        )

    def pictures(self) -> Iterator[tuple[str, Path]]:
        """Yield the pictures of several rows that are beside their results, with their names."""
        for run in self.runs:
            for picture in run.results.pictures:
                path = run.picture(picture)
                own = not self.group or picture.group in ({}, self.group)
                if picture.label is None and own and path is not None:
                    yield " ".join([*picture.group.values(), picture.name]), path


@dataclass(kw_only=True)
class Collection:
    """All that was found: leaderboards, the one with most rows first."""

    leaderboards: list[Leaderboard]
