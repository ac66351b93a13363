"""Options of runs of versions before 0.7, as today's ``RunConfig`` has them.

Files of version 0.5 hold none: protocol, model, tier and methods are read off their rows.
"""

from collections.abc import Sequence
from typing import Any, Literal

from unlearncanvas.core.registry import names
from unlearncanvas.results.old_schema import OldBackdoor, OldGrid
from unlearncanvas.results.schema import ELSEWHERE

MODELS = ("clean model", "poisoned")
"""Rows of the backdoor evaluation that are of no eraser."""
CUSTOM = "custom"
"""Tier of runs that had targets or seeds of their own."""


def grid_options(old: OldGrid, erasers: Sequence[str]) -> dict[str, Any] | None:
    """Return the options of a run of the grid; None where the images were generated elsewhere."""
    if old.tier == ELSEWHERE:
        return None
    found, asked = _options(old, erasers), old.asked
    if asked is not None:
        found["artifacts"] = asked.artefacts
        found |= {"erase_seeds": list(asked.erase_seeds)} if asked.erase_seeds else {}
    if old.tier != CUSTOM:
        return {**found, "tier": old.tier}
    found["seeds"] = list(old.seeds)
    if asked is not None and asked.tier is not None:
        return {**found, "tier": asked.tier}
    targets = dict.fromkeys(target for row in old.rows for target in row.targets)
    return {**found, "targets": [target.partition(":")[2] for target in targets]}


def backdoor_options(old: OldBackdoor) -> dict[str, Any]:
    """Return the options of a run of the backdoor evaluation."""
    labels = dict.fromkeys(row.label for item in old.attacks for row in item.rows)
    found = _options(old, [label for label in labels if label not in MODELS])
    found |= {"known_fraction": old.known, "trigger_knowledge": old.knowledge}
    found["targets"] = [_registered("attacks", item.attack) for item in old.attacks]
    tier = old.asked.tier if old.asked else None if old.tier == CUSTOM else old.tier
    return found if tier is None else {**found, "tier": tier}


def _options(old: OldGrid | OldBackdoor, erasers: Sequence[str]) -> dict[str, Any]:
    """The options of every run: a method by its name, or else by its class, if that is known."""
    asked = old.asked
    classes = {} if asked is None else asked.classes
    known = {name: ":".join(classes[name].rsplit(".", 1)) for name in erasers if name in classes}
    known |= {name: name for name in erasers if name in names("erasers")}
    found = {
        "erasers": list(dict.fromkeys(known[name] for name in erasers if name in known)),
        "protocol": _registered("protocols", old.protocol),
        "model": old.model,
    }
    if asked is None:
        return {**found, "device": "auto"}
    return found | {
        "device": old.environment["device"],
        "dtype": asked.dtype,
        "batch_size": asked.batch_size,
        "optimize": list(asked.optimizations),
        "skip_base_check": asked.any_base,
    }


def _registered(kind: Literal["protocols", "attacks"], name: str) -> str:
    """A registered name; another is that of a YAML file in the working folder."""
    return name if name in names(kind) else f"{name}.yaml"
