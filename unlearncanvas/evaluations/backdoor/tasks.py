"""Tasks of attacks and erasers: an injection, and a removal by what the defender knows."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from unlearncanvas.engine.grid import Grid
from unlearncanvas.evaluations.backdoor.attacks.base import Attack
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.evaluations.backdoor.image_sets import open_to
from unlearncanvas.evaluations.backdoor.protocol import BackdoorProtocol
from unlearncanvas.pipelines.methods import ConfiguredEraser
from unlearncanvas.types import Concept, PromptPair, Task

TriggerKnowledge = Literal["exact", "neighbour"]


def as_attack(configured: ConfiguredEraser) -> Attack:
    """Return the attack that ``load_eraser(kind="attacks")`` made."""
    assert isinstance(configured.eraser, Attack)
    return configured.eraser


def injection_task(grid: Grid, seed: int) -> Task:
    """Return the task of an injection: it forgets nothing and may use every concept of the grid."""
    nothing = Concept(kind="trigger", name="none")
    return Task(targets=(nothing,), retain=tuple(grid.concepts()), seed=seed)


def removal_task(
    protocol: BackdoorProtocol, attack: Attack, *, known: Sequence[Backdoor], seed: int
) -> Task:
    """Return the task of a removal: forget the known triggers; prompts of training cells.

    A trigger that needs an object beside it is named with it, and the object alone is the anchor.
    """
    rules = protocol.grid
    sources = {backdoor.source for backdoor in known}
    source = sources.pop() if len(sources) == 1 else ""
    pairs = [
        PromptPair(triggered=attack.fire(rules.ask(cell), backdoor), clean=rules.ask(cell))
        for backdoor in known
        for cell in open_to(protocol.train_cells(), backdoor)
    ]
    return Task(
        targets=tuple(
            Concept(kind="trigger", name=f"{item.trigger} {item.source}".strip(" "))
            for item in known
        ),
        anchor=Concept(kind="object", name=source) if source else None,
        retain=tuple(rules.concepts()),
        seed=seed,
        pairs=tuple(pairs),
        templates=rules.templates,
    )


def num_known(attack: Attack, known_fraction: float) -> int:
    """Return how many of an attack's triggers the defender knows; at least one."""
    return max(1, math.floor(known_fraction * len(attack.backdoors)))


def known_backdoors(
    protocol: BackdoorProtocol, attack: Attack, count: int, knowledge: TriggerKnowledge
) -> list[Backdoor]:
    """Return the triggers as the defender has them: the first ones, or for each a text near it.

    Raises:
        ValueError: If the protocol has too few texts near one of them.
    """
    known = attack.backdoors[:count]
    if knowledge == "exact":
        return list(known)
    taken = [backdoor.trigger for backdoor in attack.backdoors]
    found = []
    for backdoor in known:
        free = [text for text in protocol.near_to(backdoor.trigger) if text not in taken]
        if not free:
            raise ValueError(
                f"every text near the trigger {backdoor.trigger!r} is taken; "
                "add one to the protocol's near, or lower --known-fraction"
            )
        taken.append(free[0])
        found.append(replace(backdoor, trigger=free[0]))
    return found
