"""The backdoor exam, as runs of a tracker: one an eraser, all its attacks in it."""

from collections.abc import Mapping
from pathlib import Path

from unlearncanvas.core.config import ConfiguredEraser
from unlearncanvas.evaluations.backdoor.plan import BackdoorPlan
from unlearncanvas.evaluations.backdoor.results import FILE, BackdoorResults
from unlearncanvas.publish.tracking.tracker import Outcome, Run, flat


def run_of(plan: BackdoorPlan, eraser: ConfiguredEraser) -> Run:
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
            "attacks": {attack.name: attack.settings for attack in plan.attacks},
            "known": plan.known,
            "knowledge": plan.knowledge,
        },
    )


def outcome_of(
    plan: BackdoorPlan, eraser: str, results: BackdoorResults, pictures: Mapping[str, Path]
) -> Outcome:
    """Return what an eraser ended with; pictures are by attack."""
    return Outcome(
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
            for name, score in row.scores.items():
                found |= flat(f"{attack.attack}/{name}", score)
            if row.cost is not None:
                found[f"{attack.attack}/ufe"] = float(row.cost.ufe)
                found[f"{attack.attack}/erase_seconds"] = row.cost.seconds
            if row.ufe_per_image is not None:
                found[f"{attack.attack}/ufe_per_image"] = row.ufe_per_image
    return found
