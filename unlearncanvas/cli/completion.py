"""Values that a shell completes: names of the registry, tiers, targets."""

from collections.abc import Callable, Iterable
from typing import Any

import typer

from unlearncanvas.core.config import names


def beginning(incomplete: str, known: Iterable[str]) -> list[str]:
    """Return the texts that begin as the incomplete one."""
    return [item for item in known if item.startswith(incomplete)]


def of(*kinds: str) -> Callable[[str], list[str]]:
    """Return the completion of names of configs."""

    def complete(incomplete: str) -> list[str]:
        return beginning(incomplete, [item for kind in kinds for item in names(kind)])

    return complete


def tiers(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a tier of the command's protocol."""
    rules = _rules(ctx)
    return beginning(incomplete, () if rules is None else rules.tiers)


def targets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the last of the targets that commas separate; attacks, for a backdoor protocol."""
    rules = _rules(ctx)
    if rules is None:
        return []
    attacks = getattr(rules, "attacks", None)
    known = attacks or [target.name for target in rules.targets.concepts()]
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{item}" for item in beginning(last.lstrip(), known)]


def _rules(ctx: typer.Context) -> Any:
    """The registered protocol that the command names or has by default; None for a file."""
    from unlearncanvas.evaluations.backdoor.protocol import is_backdoor, load_backdoor_protocol
    from unlearncanvas.evaluations.grid.protocol import load_protocol

    protocol = ctx.params.get("protocol") or "mini"
    if protocol not in names("protocols"):
        return None
    return load_backdoor_protocol(protocol) if is_backdoor(protocol) else load_protocol(protocol)


OF_OPTION: dict[str, Callable[..., list[str]]] = {
    "erasers": of("erasers"),
    "protocol": of("protocols"),
    "tier": tiers,
    "targets": targets,
}
"""Completions of the options of bench, by the name of the field."""
