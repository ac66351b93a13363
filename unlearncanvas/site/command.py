"""The command that makes numbers again."""

import shlex
from collections.abc import Mapping

from unlearncanvas.config import load_eraser, names
from unlearncanvas.plan import BASELINES
from unlearncanvas.protocol import Protocol, load_protocol
from unlearncanvas.results import RunResults
from unlearncanvas.types import Result


def regenerate(run: RunResults, eraser: str, settings: Mapping[str, object]) -> str:
    """Return the command for one eraser of a run.

    Args:
        run: The run.
        eraser: Its name.
        settings: Those that are not the protocol's own.
    """
    parts = ["python", "-m", "unlearncanvas.bench", "--eraser"]
    parts.append("esd" if eraser in BASELINES else eraser)
    rules = rules_of(run.protocol)
    if run.protocol != "mini":
        parts += ["--protocol", run.protocol]
    if rules is not None and run.model != rules.model:
        parts += ["--model", run.model]
    parts += _part(run, rules)
    for key, value in settings.items():
        parts += ["--set", f"{key}={value}"]
    return shlex.join(parts)


def rules_of(name: str) -> Protocol | None:
    """Return a registered protocol; None for one that somebody wrote for himself."""
    return load_protocol(name) if name in names("protocols") else None


def _part(run: RunResults, rules: Protocol | None) -> list[str]:
    """The tier, or targets and seeds where it is none of the protocol's."""
    if rules is not None and run.tier in rules.tiers:
        return [] if run.tier == rules.default_tier else ["--tier", run.tier]
    targets = dict.fromkeys(target for row in run.rows for target in row.targets)
    names_only = ",".join(target.partition(":")[2] for target in targets)
    return ["--targets", names_only, "--seeds", ",".join(map(str, run.seeds))]


def changed(eraser: str, result: Result, rules: Protocol | None) -> dict[str, object]:
    """Return the settings of a result that are not the protocol's own."""
    if eraser in BASELINES or eraser not in names("erasers"):
        return {}
    usual = load_eraser(eraser, preset=rules.preset if rules else None).settings
    return {key: value for key, value in result.settings.items() if usual.get(key) != value}
