"""Tables of the backdoor exam, for the page."""

from typing import Any

from unlearncanvas.core.registry import names
from unlearncanvas.evaluations.backdoor.labels import CLEAN, POISONED
from unlearncanvas.evaluations.backdoor.old_tables import REMOVED, kept
from unlearncanvas.evaluations.backdoor.protocol import load_backdoor_protocol
from unlearncanvas.evaluations.backdoor.results import AttackResults, BackdoorResults
from unlearncanvas.pipelines.methods import method_name
from unlearncanvas.publish.report.command import (
    changed_settings,
    command_of,
    eraser_option,
    file_name,
    older_options,
    stored_options,
    without_usual,
)
from unlearncanvas.results.run_config import RunConfig


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
        "command": attack_command(run, attack),
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


def attack_command(run: BackdoorResults, attack: AttackResults) -> str:
    """Return the command that makes an attack's rows again; empty if there is none."""
    config = attack_config(run, attack)
    return "" if config is None else command_of(config)


def attack_config(run: BackdoorResults, attack: AttackResults) -> RunConfig | None:
    """Return the options that make an attack's rows again; None if no eraser's class is known."""
    known = run.protocol in names("protocols")
    grid = load_backdoor_protocol(run.protocol).grid if known else None
    erasers: dict[str, str] = {}
    settings: dict[str, object] = {}
    for row in attack.rows:
        named = None if row.label in (CLEAN, POISONED) else eraser_option(run, row.label)
        if named is None:
            continue
        erasers[row.label] = named
        own = row.settings
        if grid is not None and named in names("erasers"):
            own = changed_settings(row.label, row.settings, grid.preset)
        settings |= {f"{method_name(named)}.{key}": value for key, value in own.items()}
    if not erasers:
        return None
    found = {**removal_options(run), "erasers": list(erasers.values())}
    found |= {"targets": [attack_option(run, attack.attack)], "settings": settings}
    return RunConfig.model_validate(without_usual(found, grid))


def removal_options(run: BackdoorResults) -> dict[str, Any]:
    """Return the options of a run, from before version 0.7 too, but for attacks and erasers."""
    if run.config is not None:
        return stored_options(run, run.config)
    found = older_options(run, run.asked)
    found |= {"known_fraction": run.known, "trigger_knowledge": run.knowledge}
    tier = run.asked.tier if run.asked else None if run.tier == "custom" else run.tier
    return found if tier is None else {**found, "tier": tier}


def attack_option(run: BackdoorResults, attack: str) -> str:
    """Return how an attack is named on the command line."""
    if attack in names("attacks"):
        return attack
    asked = run.config.targets if run.config is not None else None
    return {method_name(name): file_name(name) for name in asked or ()}.get(
        attack, f"{attack}.yaml"
    )
