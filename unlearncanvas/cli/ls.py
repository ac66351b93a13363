"""``unlearncanvas ls``: what there is, readable in a narrow terminal."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from unlearncanvas.core.config import (
    choose,
    find_config,
    load_eraser,
    load_metric,
    names,
    read_yaml,
)

if TYPE_CHECKING:
    from unlearncanvas.evaluations.backdoor.protocol import BackdoorProtocol
    from unlearncanvas.evaluations.grid.protocol import Protocol

console = Console(emoji=False)
Entry = tuple[str, Sequence[str]]
"""A name, and the lines beside it."""


def ls(
    what: Annotated[str, typer.Argument(help="erasers, protocols, targets or metrics")],
    protocol: Annotated[str, typer.Option(help="Whose targets.")] = "mini",
) -> None:
    """List what there is."""
    lists = {
        "erasers": _erasers,
        "protocols": _protocols,
        "targets": lambda: _targets(protocol),
        "metrics": _metrics,
    }
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, lines in lists[choose("list", what, lists)]():
        grid.add_row(name, "\n".join(lines))
    console.print(grid)


def _erasers() -> Iterator[Entry]:
    """What each is, needs, leaves and costs."""
    from unlearncanvas.pipelines.ufe import forecast

    for name in names("erasers"):
        about = read_yaml(find_config("erasers", name)).get("about", {})
        eraser = load_eraser(name, preset="mini").eraser
        source = [about.get("family"), about.get("paper")]
        if "code" in about:
            source.append(f"{about['code']} ({about['license']})")
        facts = [f"needs {', '.join(sorted(eraser.needs))}"] if eraser.needs else []
        facts.append(f"leaves {eraser.leaves}")
        if eraser.planned_ufe() is not None:
            facts.append(f"UFE on mini {forecast(eraser)}")
        yield (
            name,
            [
                first_line(type(eraser)),
                f"[dim]{' · '.join(filter(None, source))}[/]",
                f"[dim]{' · '.join(facts)}[/]",
            ],
        )


def first_line(cls: type) -> str:
    """Return the first line of the docstring of a class's module, without its name in front."""
    text = (sys.modules[cls.__module__].__doc__ or "").strip().splitlines()[0]
    return text.rpartition(": ")[2] if ": " in text else text


def _protocols() -> Iterator[Entry]:
    """Their tiers, with what is drawn for an eraser."""
    from unlearncanvas.evaluations.backdoor.protocol import is_backdoor, load_backdoor_protocol
    from unlearncanvas.evaluations.grid.protocol import load_protocol

    for name in names("protocols"):
        rules = load_backdoor_protocol(name) if is_backdoor(name) else load_protocol(name)
        lines = [f"{rules.title} [dim]· digest {rules.digest[:12]}[/]"]
        for tier in rules.tiers:
            label = f"{tier} (default)" if tier == rules.default_tier else tier
            lines.append(f"[dim]{label}: {_drawn(rules, tier)}[/]")
        yield name, lines


def _drawn(rules: "Protocol | BackdoorProtocol", tier: str) -> str:
    """What a tier asks of an eraser."""
    from unlearncanvas.evaluations.grid.protocol import Protocol

    if not isinstance(rules, Protocol):
        chosen = rules.for_tier(tier)
        attacks = _counted(len(chosen.attacks), "attack")
        return f"{attacks}, about {chosen.images_per_attack:,} images each"
    targets, seeds = rules.tier_targets(tier), rules.tier_seeds(tier)
    images = rules.for_tier(tier).num_images(targets, seeds)
    return f"{_counted(len(targets), 'target')}, {_counted(len(seeds), 'seed')}, {images:,} images"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _targets(protocol: str) -> Iterator[Entry]:
    """What erasers are told to map each to, and the tiers that have it."""
    from unlearncanvas.evaluations.grid.protocol import load_protocol

    rules = load_protocol(protocol)
    for target in rules.targets.concepts():
        tiers = [tier for tier in rules.tiers if target in rules.tier_targets(tier)]
        anchor = rules.task(target, seed=0).anchor
        towards = f", becomes {anchor.name}" if anchor else ""
        yield target.name, [f"{target.kind}{towards} [dim]· {', '.join(tiers)}[/]"]


def _metrics() -> Iterator[Entry]:
    """What each is, its column, unit and class."""
    from unlearncanvas.results.headings import heading_of

    for name in names("metrics"):
        cls = type(load_metric(name))
        better = "higher" if cls.higher_is_better else "lower"
        facts = f"column {heading_of(name).label} · {cls.unit}, {better} is better"
        dotted = f"{cls.__module__}.{cls.__qualname__}"
        yield name, [first_line(cls), f"[dim]{facts}[/]", f"[dim]{dotted}[/]"]
