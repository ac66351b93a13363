"""``unlearncanvas ls``: what there is, readable in a narrow terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from unlearncanvas.cli import completion
from unlearncanvas.core.config import choose, find_config, names
from unlearncanvas.core.method_config import METHOD_CONFIGS, MetricConfig, read_config

if TYPE_CHECKING:
    from unlearncanvas.evaluations.backdoor.protocol import BackdoorProtocol
    from unlearncanvas.evaluations.grid.protocol import GridProtocol

console = Console(emoji=False)
Entry = tuple[str, Sequence[str]]
"""A name, and the lines beside it."""
LISTS = ("erasers", "attacks", "protocols", "targets", "metrics")


def _lists(incomplete: str) -> list[str]:
    return completion.beginning(incomplete, LISTS)


def ls(
    what: Annotated[
        str,
        typer.Argument(
            help="erasers, attacks, protocols, targets or metrics", autocompletion=_lists
        ),
    ],
    protocol: Annotated[
        str, typer.Option(help="Whose targets.", autocompletion=completion.of("protocols"))
    ] = "mini",
) -> None:
    """List what there is."""
    found = {
        "erasers": lambda: _methods("erasers"),
        "attacks": lambda: _methods("attacks"),
        "protocols": _protocols,
        "targets": lambda: _targets(protocol),
        "metrics": _metrics,
    }
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, lines in found[choose("list", what, LISTS)]():
        grid.add_row(name, "\n".join(lines))
    console.print(grid)


def _methods(kind: str) -> Iterator[Entry]:
    """What each is, needs, leaves and costs."""
    for name in names(kind):
        about = read_config(METHOD_CONFIGS[kind], find_config(kind, name)).about
        source = [about.family, about.paper.label if about.paper else ""]
        if about.code is not None:
            source.append(f"{about.code} ({about.license})")
        facts = [f"needs {', '.join(sorted(about.needs))}"] if about.needs else []
        facts.append(f"leaves {about.artifact}")
        if "mini" in about.ufe:
            facts.append(f"UFE on mini {about.ufe['mini']}")
        yield (
            name,
            [
                about.title,
                *(f"[dim]{' · '.join(filter(None, part))}[/]" for part in (source, facts)),
            ],
        )


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


def _drawn(rules: "GridProtocol | BackdoorProtocol", tier: str) -> str:
    """What a tier asks of an eraser."""
    from unlearncanvas.evaluations.grid.protocol import GridProtocol

    if not isinstance(rules, GridProtocol):
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
    for name in names("metrics"):
        config = read_config(MetricConfig, find_config("metrics", name))
        about = config.about
        better = "higher" if about.higher_is_better else "lower"
        column = about.column or name.replace("_", " ")
        facts = f"column {column} · {about.unit}, {better} is better"
        yield name, [about.title, f"[dim]{facts}[/]", f"[dim]{config.class_path}[/]"]
