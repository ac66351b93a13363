"""Run folders to boards: erasers that sat the same exam, side by side."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from metrics.base import Score
from unlearncanvas.core.json_file import read_json
from unlearncanvas.engine.evaluation import CUSTOM
from unlearncanvas.evaluations.backdoor.results import BackdoorResults, read_backdoor_results
from unlearncanvas.publish.report.alike import evidence, shortest
from unlearncanvas.publish.report.command import changed, regenerate, rules_of
from unlearncanvas.publish.report.registry import EraserMetadata, about
from unlearncanvas.results.schema import BASELINES, Result, Row, RunResults, read_results

_log = logging.getLogger(__name__)
FILE = "results.json"
OLD_ROOT = "../../.."
"""Where the paths in result files start from that do not say it."""
ENOUGH = 50.0
"""Percent of the rest that must survive; below, a high UA means nothing."""
RowStatus = Literal["reference", "ranked", "degenerate"]
Provenance = Literal["measured here", "verified", "reported"]


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow:
    """An eraser on a board.

    Attributes:
        label: Its name in tables; settings are named where a board has several of one eraser.
        settings: Those that are not the protocol's own.
        about: Family, paper, what it leaves.
        rows: Mean scores, by kind of target.
        results: What every target scored, by target; empty where only means are at hand.
        files: The files of those, by target.
        sheets: Contact sheets, by target.
        command: What makes these numbers again.
        trust: Who measured them.
        source: The file they are from.
    """

    label: str
    settings: Mapping[str, object]
    about: EraserMetadata
    rows: Mapping[str, Row]
    results: Mapping[str, Result]
    files: Mapping[str, Path]
    sheets: Mapping[str, Path]
    command: str
    trust: Provenance
    source: Path

    def score(self, kind: str, name: str) -> Score | None:
        """Return a mean score, if there is one."""
        row = self.rows.get(kind)
        return None if row is None else row.scores.get(name)

    @property
    def eraser(self) -> str:
        """Name of the eraser, without what tells its runs apart."""
        return self.label.split(",")[0].split()[0]

    @property
    def standing(self) -> RowStatus:
        """Whether it is a row to read others by, or one whose forgetting is destruction."""
        if self.eraser in BASELINES:
            return "reference"
        kept = [
            row.scores[name].value
            for row in self.rows.values()
            for name in ("in_domain_retain_accuracy", "cross_domain_retain_accuracy")
            if name in row.scores
        ]
        return "degenerate" if kept and min(kept) < ENOUGH else "ranked"


@dataclass(kw_only=True)
class Leaderboard:
    """All erasers of one exam: same protocol, base model, targets and seeds.

    Attributes:
        run: Any of its runs; what they have in common.
        entries: By label.
    """

    run: RunResults
    entries: dict[str, LeaderboardRow] = field(default_factory=dict)

    @property
    def targets(self) -> dict[str, tuple[str, ...]]:
        """The targets, by kind."""
        return {row.kind: row.targets for row in self.run.rows}

    @property
    def title(self) -> str:
        """Protocol, number of targets, number of seeds."""
        count = sum(map(len, self.targets.values()))
        seeds = len(self.run.seeds)
        return f"{self.run.protocol} · {count} targets · {seeds} seed{'s' if seeds > 1 else ''}"


class BackdoorRun(NamedTuple):
    """A run of the backdoor exam, and its file."""

    path: Path
    results: BackdoorResults


@dataclass(kw_only=True)
class Collection:
    """All that was found.

    Attributes:
        boards: The one with most erasers first.
        backdoors: Runs of the backdoor exam.
    """

    boards: list[Leaderboard]
    backdoors: list[BackdoorRun]


def collect(places: Iterable[Path], trust: Mapping[Path, Provenance] | None = None) -> Collection:
    """Return what the result files under some folders hold; of those that are alike, one.

    Args:
        places: Folders, or result files.
        trust: Who measured the files under a folder; ``measured here`` if nothing is said.

    Raises:
        ValueError: If there is no readable result file.
    """
    runs: list[tuple[Path, RunResults]] = []
    backdoors: list[BackdoorRun] = []
    for path in sorted({path for place in places for path in _files(place)}):
        try:
            runs.append((path, read_results(path)))
        except ValueError as exc:
            found = _backdoors(path)
            if found is None:
                _log.warning("left out: %s", exc)
            else:
                backdoors.append(BackdoorRun(path, found))
    boards: dict[tuple[object, ...], Leaderboard] = {}
    for path, run in sorted(runs, key=lambda item: item[1].tier == CUSTOM):
        if not run.rows:
            continue
        first = [row for row in run.rows if row.label == run.rows[0].label]
        targets = tuple((row.kind, row.targets) for row in first)
        key = (run.protocol, run.protocol_digest, run.base_digest, run.seeds, targets)
        board = boards.setdefault(key, Leaderboard(run=run))
        for name, entry in _entries(path, run, _trust(path, trust or {})).items():
            board.entries.setdefault(name, entry)
    if not boards and not backdoors:
        raise ValueError(
            f"no {FILE} under {', '.join(map(str, places))}; run the benchmark first: "
            "python -m unlearncanvas.bench --eraser esd"
        )
    for board in boards.values():
        board.entries = _named(list(board.entries.values()))
    ordered = sorted(boards.values(), key=lambda board: -len(board.entries))
    return Collection(boards=ordered, backdoors=backdoors)


def _named(entries: Sequence[LeaderboardRow]) -> dict[str, LeaderboardRow]:
    """The entries by label; those of one eraser are told apart by the settings that differ.

    If none do, by the files that they are from.
    """
    named = {}
    for entry in entries:
        alike = [other.settings for other in entries if other.label == entry.label]
        differing = [
            f"{key}={value}"
            for key, value in entry.settings.items()
            if any(other.get(key) != value for other in alike)
        ]
        same = [
            other.source
            for other in entries
            if (other.label, other.settings) == (entry.label, entry.settings)
        ]
        place = [f"in {shortest(entry.source, same)}"] if len(same) > 1 else []
        label = ", ".join([entry.label, *differing, *place])
        named[label] = replace(entry, label=label)
    return named


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else list(place.rglob(FILE))


def _trust(path: Path, trust: Mapping[Path, Provenance]) -> Provenance:
    return next(
        (said for folder, said in trust.items() if path.is_relative_to(folder)), "measured here"
    )


def _backdoors(path: Path) -> BackdoorResults | None:
    try:
        return read_backdoor_results(path)
    except ValueError:
        return None


def _entries(path: Path, run: RunResults, trust: Provenance) -> dict[str, LeaderboardRow]:
    """The erasers of one run; targets whose files are elsewhere keep their means only."""
    root = path.parent / (OLD_ROOT if run.root is None else run.root)
    results: dict[str, dict[str, Result]] = {}
    files: dict[str, dict[str, Path]] = {}
    sheets: dict[str, dict[str, Path]] = {}
    for name in run.results:
        file = Path(os.path.normpath(root / name))
        if not file.is_file():
            continue
        result = read_json(Result, file)
        label = _label(result, run)
        results.setdefault(label, {})[result.target] = result
        files.setdefault(label, {})[result.target] = file
        for sheet in (file.with_name("sheet.png"), file.with_name("sheet.webp")):
            if sheet.is_file():
                sheets.setdefault(label, {})[result.target] = sheet
    entries = {}
    rules = rules_of(run.protocol)
    for label in dict.fromkeys(row.label for row in run.rows):
        own = results.get(label, {})
        eraser = label.split()[0]
        first = next(iter(own.values()), None)
        settings = {} if first is None else changed(eraser, first, rules)
        rows: dict[str, Row] = {row.kind: row for row in run.rows if row.label == label}
        key = f"{label} {settings} {evidence(rows, own)}"
        entries[key] = LeaderboardRow(
            label=label,
            settings=settings,
            about=about(eraser),
            rows=rows,
            results=own,
            files=files.get(label, {}),
            sheets=sheets.get(label, {}),
            command=regenerate(run, label, first),
            trust=trust,
            source=path,
        )
    return entries


def _label(result: Result, run: RunResults) -> str:
    """The row that a target's result is part of; erase seeds have rows of their own."""
    named = f"{result.eraser} seed {result.erase_seed}"
    return named if any(row.label == named for row in run.rows) else result.eraser
