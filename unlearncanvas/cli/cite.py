"""``unlearncanvas cite``: BibTeX entries of erasers, attacks and metrics."""

from collections.abc import Mapping
from typing import Annotated

import typer

from unlearncanvas.cli import completion
from unlearncanvas.core.method_config import METHOD_CONFIGS, Config, MetricConfig, read_config
from unlearncanvas.core.registry import choose, find_config, names

CONFIGS: Mapping[str, type[Config]] = {**METHOD_CONFIGS, "metrics": MetricConfig}


def cite(
    name: Annotated[
        list[str] | None,
        typer.Argument(
            help="Registered erasers, attacks and metrics.",
            autocompletion=completion.of(*METHOD_CONFIGS, "metrics"),
        ),
    ] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Print the BibTeX entries of erasers, attacks and metrics, each once."""
    folders = {item: folder for folder in CONFIGS for item in names(folder)}
    if all_ == bool(name):
        raise ValueError("cite takes names, e.g. cite esd ca, or --all")
    chosen = (
        list(folders)
        if all_
        else [choose("eraser, attack or metric", item, folders) for item in name or ()]
    )
    entries = {}
    for item in chosen:
        paper = read_config(CONFIGS[folders[item]], find_config(folders[item], item)).about.paper
        if paper is not None:
            entries[paper.key] = paper.entry
        elif not all_:
            typer.echo(f"{item} has no paper", err=True)
    typer.echo("\n\n".join(entries.values()))
