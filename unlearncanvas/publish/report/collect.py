"""Result files to leaderboards: rows that can be read side by side."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from unlearncanvas.core.digests import digest_json
from unlearncanvas.publish.report.alike import evidence, shortest
from unlearncanvas.publish.report.command import changed_settings, command_of_rows
from unlearncanvas.publish.report.leaderboards import (
    Collection,
    Leaderboard,
    LeaderboardRow,
    Provenance,
    Run,
)
from unlearncanvas.publish.report.registry import about
from unlearncanvas.results.reading import read_results
from unlearncanvas.results.schema import FILE, MeanRow, Results, Row, group_name, group_text

_log = logging.getLogger(__name__)
CUSTOM = "custom"
"""Tier of a run whose targets or seeds are none of the protocol's."""


def collect(places: Iterable[Path], trust: Mapping[Path, Provenance] | None = None) -> Collection:
    """Return what the result files under some folders hold; of rows that are alike, one.

    Args:
        places: Folders, or result files.
        trust: Who measured the files under a folder; ``measured here`` if nothing is said.

    Raises:
        ValueError: If there is no readable result file.
    """
    runs: list[Run] = []
    for path in sorted({path for place in places for path in _files(place)}):
        try:
            runs.append(Run(path, read_results(path)))
        except ValueError as exc:
            _log.warning("left out: %s", exc)
    found: dict[str, Leaderboard] = {}
    for run in sorted(runs, key=lambda item: item.results.tier == CUSTOM):
        for group in _groups(run.results):
            leaderboard = found.setdefault(
                _key(run.results, group), Leaderboard(group=group, runs=[])
            )
            leaderboard.runs.append(run)
            for key, row in _rows(run, group, _trust(run.path, trust or {})):
                leaderboard.rows.setdefault(key, row)
    if not found:
        raise ValueError(
            f"no {FILE} under {', '.join(map(str, places))}; run the benchmark first: "
            "python -m unlearncanvas.bench --eraser esd"
        )
    for leaderboard in found.values():
        leaderboard.rows = _named(list(leaderboard.rows.values()))
    ordered = sorted(
        found.values(), key=lambda leaderboard: (bool(leaderboard.group), -len(leaderboard.rows))
    )
    return Collection(leaderboards=ordered)


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else list(place.rglob(FILE))


def _groups(results: Results) -> list[dict[str, str]]:
    """The groups that have a leaderboard each; with means, the one of all targets."""
    if results.means:
        return [{}]
    return list({group_text(row.group): row.group for row in results.rows}.values())


def _key(results: Results, group: dict[str, str]) -> str:
    """What rows must share to be read side by side."""
    own: object = [group, results.notes.get(group_text(group))]
    if results.means:
        first = results.means[0].label
        own = [(row.kind, row.targets) for row in results.means if row.label == first]
    rules = [results.evaluation, results.protocol, results.protocol_digest, results.base_digest]
    return digest_json([*rules, results.seeds, own])


def _rows(
    run: Run, group: dict[str, str], trust: Provenance
) -> Iterator[tuple[str, LeaderboardRow]]:
    """Yield the rows of one run, and what tells each from those of other runs."""
    results = run.results
    chosen = [row for row in results.rows if group in ({}, row.group)]
    labels = [row.label for row in (results.means or chosen)]
    for label in dict.fromkeys(labels):
        own = [row for row in chosen if row.label == label]
        means: dict[str, MeanRow] = {row.kind: row for row in results.means if row.label == label}
        eraser = own[0].eraser if own else label.partition(" seed ")[0]
        settings = changed_settings(results, own[0]) if own else {}
        row = LeaderboardRow(
            label=label,
            run_label=label,
            eraser=eraser,
            settings=settings,
            about=about(eraser),
            means=means,
            rows={group_name(row.group): row for row in own},
            pictures=_pictures(run, label, own),
            command=command_of_rows(results, label, own),
            trust=trust,
            run=run,
        )
        yield f"{label} {settings} {evidence(row)}", row


def _pictures(run: Run, label: str, rows: Sequence[Row]) -> dict[str, Path]:
    """The pictures of one row that are beside its results, by what they show."""
    groups = [row.group for row in rows]
    found = {
        group_name(picture.group): run.picture(picture)
        for picture in run.results.pictures
        if picture.label == label and picture.group in groups
    }
    return {name: path for name, path in found.items() if path is not None}


def _named(rows: Sequence[LeaderboardRow]) -> dict[str, LeaderboardRow]:
    """The rows by label; those of one eraser are told apart by the settings that differ.

    If none do, by the files that they are from.
    """
    named = {}
    for row in rows:
        alike = [other.settings for other in rows if other.label == row.label]
        differing = [
            f"{key}={value}"
            for key, value in row.settings.items()
            if any(other.get(key) != value for other in alike)
        ]
        same = [
            other.source
            for other in rows
            if (other.label, other.settings) == (row.label, row.settings)
        ]
        place = [f"in {shortest(row.source, same)}"] if len(same) > 1 else []
        label = ", ".join([row.label, *differing, *place])
        named[label] = replace(row, label=label)
    return named


def _trust(path: Path, trust: Mapping[Path, Provenance]) -> Provenance:
    return next(
        (said for folder, said in trust.items() if path.is_relative_to(folder)), "measured here"
    )
