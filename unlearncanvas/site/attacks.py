"""Tables of the backdoor exam, for the page."""

import shlex
from typing import Any

from unlearncanvas.backdoors.assess import CLEAN, POISONED
from unlearncanvas.backdoors.protocol import load_backdoor_protocol
from unlearncanvas.backdoors.results import AttackResults, BackdoorResults
from unlearncanvas.backdoors.tables import REMOVED, kept
from unlearncanvas.config import load_eraser, names


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
        "command": command_of(run, attack),
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


def command_of(run: BackdoorResults, attack: AttackResults) -> str:
    """Return the command that makes an attack's rows again."""
    parts = ["python", "-m", "unlearncanvas.bench", "--protocol", run.protocol]
    parts += ["--targets", attack.attack]
    changed: dict[str, object] = {}
    for row in attack.rows:
        if row.label not in (CLEAN, POISONED):
            parts += ["--eraser", row.label]
            changed |= _changed(run, row.label, row.settings)
    for key, value in changed.items():
        parts += ["--set", f"{key}={value}"]
    if run.known != 1:
        parts += ["--known", str(run.known)]
    if run.knowledge != "exact":
        parts += ["--knowledge", run.knowledge]
    return shlex.join(parts)


def _changed(run: BackdoorResults, eraser: str, settings: dict[str, object]) -> dict[str, object]:
    """The settings that are not the protocol's own."""
    if run.protocol not in names("protocols") or eraser not in names("erasers"):
        return {}
    preset = load_backdoor_protocol(run.protocol).grid.preset
    usual = load_eraser(eraser, preset=preset).settings
    return {key: value for key, value in settings.items() if usual.get(key) != value}
