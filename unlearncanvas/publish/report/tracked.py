"""Result files as runs of a tracker, long after they were made."""

from collections.abc import Iterator
from pathlib import Path

from unlearncanvas.engine.tracked import scores_of
from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun
from unlearncanvas.publish.report.leaderboards import Collection, LeaderboardRow
from unlearncanvas.results.cells import BASELINES
from unlearncanvas.results.schema import Picture


def finished(found: Collection) -> Iterator[tuple[TrackedRun, RunSummary]]:
    """Yield a run for every eraser of every result file, whatever it was measured on."""
    runs: dict[tuple[Path, str], LeaderboardRow] = {}
    for leaderboard in found.leaderboards:
        for row in leaderboard.rows.values():
            if row.status != "reference" or row.eraser in BASELINES:
                runs.setdefault((row.source, row.run_label), row)
    for row in runs.values():
        yield _run(row), _summary(row)


def _run(row: LeaderboardRow) -> TrackedRun:
    results = row.run.results
    own = [item for item in results.rows if item.label == row.run_label]
    groups = {group for item in own for group in item.group.values()}
    return TrackedRun(
        name=row.label,
        group=results.protocol,
        folder=row.source.parent / "tracked" / row.label.replace("/", "-"),
        config={
            "settings": own[0].settings if own else {},
            "evaluation": results.evaluation,
            "protocol": results.protocol,
            "protocol_digest": results.protocol_digest,
            "model": results.model,
            "tier": results.tier,
            "groups": sorted(groups),
            "seeds": list(results.seeds),
            "notes": results.notes,
            "command": row.command,
        },
    )


def _summary(row: LeaderboardRow) -> RunSummary:
    results, folder = row.run.results, row.source.parent
    pictures = [item for item in results.pictures if item.label in (None, row.run_label)]
    return RunSummary(
        scores=scores_of(results, row.run_label),
        pictures={_name(item): folder / item.path for item in pictures},
        files=[row.source],
    )


def _name(picture: Picture) -> str:
    return "/".join([*picture.group.values(), picture.name])
