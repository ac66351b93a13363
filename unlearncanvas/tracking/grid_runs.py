"""The style x object exam, as runs of a tracker: one an eraser."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from unlearncanvas.config import ConfiguredEraser
from unlearncanvas.plan import Plan
from unlearncanvas.results import RunResults
from unlearncanvas.tracking.tracker import Outcome, Run, flat


def run_of(plan: Plan, eraser: ConfiguredEraser) -> Run:
    """Return an eraser's run in a plan."""
    return Run(
        name=eraser.name,
        group=plan.protocol.name,
        folder=plan.eraser_folder(eraser) / plan.tier,
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
        },
    )


def outcome_of(
    plan: Plan, eraser: ConfiguredEraser, results: RunResults, pictures: Sequence[Path]
) -> Outcome:
    """Return what an eraser ended with: its scores, its pictures and the common ones, its files."""
    folder, common = plan.eraser_folder(eraser), plan.run_folder()
    own = [path for path in pictures if path.is_relative_to(folder)]
    shared = [path for path in pictures if path.parent == common]
    files = [plan.out / path for path in results.results]
    return Outcome(
        scores=scores_of(results, eraser.name),
        pictures=named(dict.fromkeys([*own, *shared])),
        files=[
            common / "results.json",
            *(path for path in files if path.is_relative_to(folder)),
        ],
    )


def scores_of(results: RunResults, eraser: str) -> dict[str, float]:
    """Return an eraser's mean scores with their intervals, and its cost."""
    found: dict[str, float] = {}
    for row in results.rows:
        if row.label.split()[0] != eraser:
            continue
        for name, score in row.scores.items():
            found |= flat(f"{row.kind}/{name}", score)
        for name in ("ufe", "erase_seconds", "stored_bytes", "peak_memory_bytes"):
            value = getattr(row, name)
            if value is not None:
                found[f"{row.kind}/{name}"] = float(value)
    return found


def named(pictures: Iterable[Path]) -> dict[str, Path]:
    """Return pictures by target and kind, ``style-Mosaic-seed0/sheet``."""
    return {f"{path.parent.name}/{path.stem}": path for path in pictures}
