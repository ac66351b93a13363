"""``unlearncanvas ls``: list the registry, readable in a narrow terminal."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from unlearncanvas.cli import completion
from unlearncanvas.core.method_config import METHOD_CONFIGS, MetricConfig, read_config
from unlearncanvas.core.registry import choose, find_config, names

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
    """List erasers, attacks, metrics, protocols or targets."""
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
    """Family, needs, artifact and expected work of each method."""
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
    """Tiers of each protocol, with the number of images per eraser."""
    from unlearncanvas.engine.protocols import load_any

    for name in names("protocols"):
        rules = load_any(name)
        lines = [f"{rules.title} [dim]· digest {rules.digest[:12]}[/]"]
        for tier in rules.tiers:
            label = f"{tier} (default)" if tier == rules.default_tier else tier
            lines.append(f"[dim]{label}: {rules.amount(tier)}[/]")
        yield name, lines


def _targets(protocol: str) -> Sequence[Entry]:
    """Values of ``--targets``: concepts of a grid, attacks of a backdoor protocol."""
    from unlearncanvas.engine.protocols import load_any

    return load_any(protocol).entries()


def _metrics() -> Iterator[Entry]:
    """Title, column, unit and class of each metric."""
    for name in names("metrics"):
        config = read_config(MetricConfig, find_config("metrics", name))
        about = config.about
        better = "higher" if about.higher_is_better else "lower"
        column = about.column or name.replace("_", " ")
        facts = f"column {column} · {about.unit}, {better} is better"
        yield name, [about.title, f"[dim]{facts}[/]", f"[dim]{config.class_path}[/]"]
