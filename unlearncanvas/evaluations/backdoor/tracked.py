"""The backdoor exam, as runs of a tracker: one an eraser, all its attacks in it."""

from collections.abc import Mapping
from pathlib import Path

from unlearncanvas.core.config import ConfiguredEraser
from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun, numbers
from unlearncanvas.evaluations.backdoor.plan import BackdoorPlan
from unlearncanvas.evaluations.backdoor.results import FILE, BackdoorResults


def run_of(plan: BackdoorPlan, eraser: ConfiguredEraser) -> TrackedRun:
    """Return an eraser's run in a plan."""
    return TrackedRun(
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
            "attacks": {attack.name: attack.settings for attack in plan.attacks},
            "known": plan.known,
            "knowledge": plan.knowledge,
        },
    )


def summary_of(
    plan: BackdoorPlan, eraser: str, results: BackdoorResults, pictures: Mapping[str, Path]
) -> RunSummary:
    """Return what an eraser ended with; pictures are by attack."""
    return RunSummary(
        scores=scores_of(results, eraser),
        pictures={f"{attack}/sheet": path for attack, path in pictures.items()},
        files=[plan.run_folder() / FILE],
    )


def scores_of(results: BackdoorResults, eraser: str) -> dict[str, float]:
    """Return an eraser's scores against each attack with their intervals, and its cost."""
    found: dict[str, float] = {}
    for attack in results.attacks:
        for row in attack.rows:
            if row.label != eraser:
                continue
            costs: dict[str, float | None] = {"ufe_per_image": row.ufe_per_image}
            if row.cost is not None:
                costs |= {"ufe": row.cost.ufe, "erase_seconds": row.cost.seconds}
            found |= numbers(attack.attack, row.scores, costs)
    return found
