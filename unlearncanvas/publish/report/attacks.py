"""Tables of the backdoor exam, for the page."""

import shlex
from typing import Any

from unlearncanvas.core.config import names
from unlearncanvas.evaluations.backdoor.assess import CLEAN, POISONED
from unlearncanvas.evaluations.backdoor.old_tables import REMOVED, kept
from unlearncanvas.evaluations.backdoor.protocol import load_backdoor_protocol
from unlearncanvas.evaluations.backdoor.results import AttackResults, BackdoorResults
from unlearncanvas.evaluations.grid.protocol import Protocol
from unlearncanvas.publish.report.command import (
    BENCH,
    changed_settings,
    drawing_options,
    eraser_option,
    set_options,
)


def attack_table(run: BackdoorResults, attack: AttackResults) -> dict[str, Any]:
    """Return what the page shows of one attack: notes, the command, a row a model."""
    present = attack.rows[0].scores
    columns = [item for item in [*REMOVED, *kept(attack)] if item[1] in present]
    gate = "" if attack.gate_passed else " The poisoned model misses its gate: it does not count."
    return {
        "name": attack.attack,
        "note": (
            f"Sits in the {attack.reach}; judge: {attack.judge}; {attack.num_triggered} triggered "
            f"images a row; protocol {run.protocol}, digest {run.protocol_digest[:12]}.{gate}"
        ),
        "caption": (
            "95 % intervals. ASR: the trigger still works; as asked: the prompt came back; ACC: "
            "the grid without triggers; near: other words in the trigger's place."
        ),
        "commands": commands_of(run, attack),
        "headings": [heading for heading, _, _ in columns],
        "rows": [
            {
                "label": row.label,
                "standing": "reference" if row.label in (CLEAN, POISONED) else "ranked",
                "scores": [(row.scores.get(name), digits) for _, name, digits in columns],
            }
            for row in attack.rows
        ],
    }


def commands_of(run: BackdoorResults, attack: AttackResults) -> list[str]:
    """Return the commands that make an attack's rows again: one for erasers of equal changes.

    ``--set`` is for all erasers of a command, so that others have a command of their own.
    """
    known = run.protocol in names("protocols")
    grid = load_backdoor_protocol(run.protocol).grid if known else None
    groups: dict[tuple[str, ...], list[str]] = {}
    for row in attack.rows:
        if row.label in (CLEAN, POISONED):
            continue
        named = eraser_option(run, row.label)
        if named is None:
            continue
        settings = row.settings
        if grid is not None and named in names("erasers"):
            settings = changed_settings(row.label, row.settings, grid.preset)
        groups.setdefault(tuple(set_options(settings)), []).append(named)
    return [
        shlex.join([*_common(run, attack, grid), *_each("--eraser", erasers), *options])
        for options, erasers in groups.items()
    ]


def _common(run: BackdoorResults, attack: AttackResults, grid: Protocol | None) -> list[str]:
    """What all commands of an attack share."""
    registered = attack.attack in names("attacks")
    parts = [*BENCH, "--protocol", run.protocol if grid else f"{run.protocol}.yaml"]
    parts += ["--targets", attack.attack if registered else f"{attack.attack}.yaml"]
    tier = run.asked.tier if run.asked else None if run.tier == "custom" else run.tier
    if tier is not None:
        parts += ["--tier", tier]
    if grid is None or run.model != grid.model:
        parts += ["--model", run.model]
    if run.known != 1:
        parts += ["--known", str(run.known)]
    if run.knowledge != "exact":
        parts += ["--knowledge", run.knowledge]
    return parts + drawing_options(run, grid.sampler if grid else None)


def _each(option: str, values: list[str]) -> list[str]:
    return [part for value in values for part in (option, value)]
