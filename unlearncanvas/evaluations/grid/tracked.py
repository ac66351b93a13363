"""The style x object exam, as runs of a tracker: one an eraser and erasing seed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from unlearncanvas.core.config import ConfiguredEraser
from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun, numbers
from unlearncanvas.evaluations.grid.plan import Plan
from unlearncanvas.results.schema import Row, RunResults

COSTS = ("ufe", "erase_seconds", "stored_bytes", "peak_memory_bytes", "ufe_per_image")


def runs_of(plan: Plan) -> dict[str, TrackedRun]:
    """Return the runs of a plan by their rows' labels."""
    return {
        plan.label(job.eraser, job.task.seed): _run(plan, job.eraser, job.task.seed)
        for job in plan.jobs()
    }


def _run(plan: Plan, eraser: ConfiguredEraser, seed: int) -> TrackedRun:
    label, folder = plan.label(eraser, seed), plan.eraser_folder(eraser) / plan.tier_folder
    return TrackedRun(
        name=label,
        group=plan.protocol.name,
        folder=folder if label == eraser.name else folder / f"tracked-seed{seed}",
        config={
            "settings": eraser.settings,
            "version": eraser.version,
            "source_digest": eraser.source_digest,
            "protocol": plan.protocol.name,
            "protocol_digest": plan.whole.digest,
            "model": plan.model,
            "tier": plan.tier,
            "targets": list(map(str, plan.targets)),
            "seeds": list(plan.seeds),
            "erase_seed": seed,
        },
    )


def summaries_of(
    plan: Plan, results: RunResults, pictures: Sequence[Path]
) -> dict[str, RunSummary]:
    """Return what every run ended with, by label: its own pictures and files, and the common."""
    folders: dict[str, set[Path]] = defaultdict(set)
    for job in plan.jobs():
        own = {plan.result_folder(job, target) for target in job.targets}
        folders[plan.label(job.eraser, job.task.seed)] |= own
    common, files = plan.run_folder(), [plan.out / path for path in results.results]
    return {
        label: RunSummary(
            scores=scores_of(row for row in results.rows if row.label == label),
            pictures=named(path for path in pictures if path.parent in {*own, common}),
            files=[common / "results.json", *(path for path in files if path.parent in own)],
        )
        for label, own in folders.items()
    }


def scores_of(rows: Iterable[Row]) -> dict[str, float]:
    """Return the mean scores of an eraser's rows with their intervals, and their costs."""
    found: dict[str, float] = {}
    for row in rows:
        found |= numbers(row.kind, row.scores, {name: getattr(row, name) for name in COSTS})
    return found


def named(pictures: Iterable[Path]) -> dict[str, Path]:
    """Return pictures by target and kind, ``style-Mosaic-seed0/sheet``."""
    return {f"{path.parent.name}/{path.stem}": path for path in pictures}
