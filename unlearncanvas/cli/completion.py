"""Values that a shell completes: names of the registry, tiers, targets."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

from unlearncanvas.core.registry import names

if TYPE_CHECKING:
    from unlearncanvas.engine.protocols import EvaluationProtocol


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
    """Complete the last of the targets that commas separate."""
    rules = _rules(ctx)
    if rules is None:
        return []
    known = [name for name, _ in rules.entries()]
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{item}" for item in beginning(last.lstrip(), known)]


def _rules(ctx: typer.Context) -> "EvaluationProtocol | None":
    """The registered protocol that the command names or has by default; None for a file."""
    from unlearncanvas.engine.protocols import load_any

    protocol = ctx.params.get("protocol") or "mini"
    return load_any(protocol) if protocol in names("protocols") else None


OF_OPTION: dict[str, Callable[..., list[str]]] = {
    "erasers": of("erasers"),
    "protocol": of("protocols"),
    "tier": tiers,
    "targets": targets,
}
"""Completions of the options of bench, by the name of the field."""
