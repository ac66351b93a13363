"""Result files as runs of a tracker, long after they were made."""

from collections.abc import Iterator
from pathlib import Path

from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun
from unlearncanvas.evaluations.backdoor.labels import CLEAN, POISONED
from unlearncanvas.evaluations.backdoor.tracked import scores_of as backdoor_scores
from unlearncanvas.evaluations.grid.tracked import scores_of
from unlearncanvas.publish.report.attacks import attack_command
from unlearncanvas.publish.report.collect import (
    BackdoorRun,
    Collection,
    Leaderboard,
    LeaderboardRow,
)


def finished(found: Collection) -> Iterator[tuple[TrackedRun, RunSummary]]:
    """Yield a run for every eraser of every board, and of every backdoor exam."""
    for board in found.boards:
        for entry in board.entries.values():
            yield _of_board(board, entry)
    for run in found.backdoors:
        labels = (row.label for attack in run.results.attacks for row in attack.rows)
        for label in dict.fromkeys(labels):
            if label not in (CLEAN, POISONED):
                yield _of_backdoors(run, label)


def _folder(source: Path, label: str) -> Path:
    return source.parent / "tracked" / label.replace("/", "-")


def _of_board(board: Leaderboard, entry: LeaderboardRow) -> tuple[TrackedRun, RunSummary]:
    run = TrackedRun(
        name=entry.label,
        group=board.run.protocol,
        folder=_folder(entry.source, entry.label),
        config={
            "settings": next((dict(item.settings) for item in entry.results.values()), {}),
            "protocol": board.run.protocol,
            "protocol_digest": board.run.protocol_digest,
            "model": board.run.model,
            "seeds": list(board.run.seeds),
            "command": entry.command,
        },
    )
    scores = scores_of(entry.rows.values())
    return run, RunSummary(scores=scores, pictures=dict(entry.sheets), files=[entry.source])


def _of_backdoors(found: BackdoorRun, label: str) -> tuple[TrackedRun, RunSummary]:
    results = found.results
    rows = {
        attack.attack: row
        for attack in results.attacks
        for row in attack.rows
        if row.label == label
    }
    run = TrackedRun(
        name=label,
        group=results.protocol,
        folder=_folder(found.path, label),
        config={
            "settings": next(row.settings for row in rows.values()),
            "protocol": results.protocol,
            "protocol_digest": results.protocol_digest,
            "model": results.model,
            "attacks": {attack.attack: attack.settings for attack in results.attacks},
            "known": results.known,
            "knowledge": results.knowledge,
            "command": [attack_command(results, attack) for attack in results.attacks],
        },
    )
    sheets = {f"{name}/sheet": found.path.with_name(f"sheet-{name}.png") for name in rows}
    pictures = {name: path for name, path in sheets.items() if path.is_file()}
    return run, RunSummary(
        scores=backdoor_scores(results, label), pictures=pictures, files=[found.path]
    )
