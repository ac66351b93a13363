"""Sweep an eraser's settings and show the trade-off between forgetting and retention.

    python -m unlearncanvas.cli.sweep --eraser esd --grid lr=5e-5,1e-4,2e-4 --grid parameters=x,u

Runs on the tuning protocol (reserved targets, other seeds, other detectors), so that settings are
never chosen on what is reported. Prints a table and writes a plot and a JSON file.
"""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from matplotlib.figure import Figure
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from unlearncanvas.cli.app import run_app
from unlearncanvas.cli.progress import bar
from unlearncanvas.core.building import parse_overrides
from unlearncanvas.core.files import write_text
from unlearncanvas.engine.opening import opened
from unlearncanvas.engine.options import split
from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.engine.work import num_images, tasks_of
from unlearncanvas.evaluations.grid.tables import cost
from unlearncanvas.pipelines.quiet import silence_libraries
from unlearncanvas.results.headings import headings_of, value_text
from unlearncanvas.results.run_config import RunConfig
from unlearncanvas.results.schema import MeanRow

PLOTTED = ("unlearning_accuracy", "in_domain_retain_accuracy", "cross_domain_retain_accuracy")
app = typer.Typer(add_completion=False, rich_markup_mode=None)
console = Console(emoji=False)


def combinations(grid: list[str]) -> list[list[str]]:
    """Return every combination as ``key=value`` settings.

    Raises:
        ValueError: If an axis has no values.
    """
    axes = []
    for axis in grid:
        key, equals, values = axis.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"--grid takes key=value,value,..., got {axis!r}")
        axes.append([f"{key}={value}" for value in split(values, "--grid")])
    return [list(combination) for combination in itertools.product(*axes)]


@app.command()
def sweep(
    eraser: Annotated[str, typer.Option(help="Registered name, class or YAML file.")],
    grid: Annotated[list[str], typer.Option(help="key=value,value,...; repeatable.")],
    protocol: Annotated[str, typer.Option(help="Where to tune.")] = "mini-tune",
    tier: Annotated[str | None, typer.Option(help="Tier of the protocol.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    out: Annotated[Path, typer.Option(help="Root of the run folders.")] = Path("runs"),
) -> None:
    """Run an eraser at every combination of settings."""
    silence_libraries()
    rows: dict[str, list[MeanRow]] = {}
    for settings in combinations(grid):
        tried = try_settings(eraser, settings, protocol=protocol, tier=tier, device=device, out=out)
        rows.setdefault("none", tried.base)
        rows[" ".join(settings)] = tried.rows
    show(rows)
    folder = out / "sweeps"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{eraser.rpartition(':')[2].rpartition('/')[2]}-{Path(protocol).stem}"
    data = {name: [row.model_dump() for row in found] for name, found in rows.items()}
    write_text(folder / f"{stem}.json", json.dumps(data, indent=2))
    plot(rows, title=f"{eraser} on {protocol}", path=folder / f"{stem}.png")
    console.print(f"plot      {folder / f'{stem}.png'}", markup=False)


class Tried(NamedTuple):
    """Scores of one combination of settings.

    Attributes:
        rows: The eraser's means, styles and objects; none where the evaluation has no means.
        base: The base model's.
        balance: What a search weighs: percent by group and part.
    """

    rows: list[MeanRow]
    base: list[MeanRow]
    balance: Mapping[str, Mapping[str, float]]


def try_settings(
    eraser: str, settings: list[str], *, protocol: str, tier: str | None, device: str, out: Path
) -> Tried:
    """Run an eraser once with these ``key=value`` settings."""
    evaluation = evaluation_of(
        RunConfig(
            erasers=(eraser,),
            protocol=protocol,
            tier=tier,
            settings=parse_overrides(settings),
            device=device,
            out=out,
        )
    )
    with (
        bar(num_images(tasks_of(evaluation)), console) as progress,
        opened(evaluation, progress) as runner,
    ):
        results = runner.run()
    tested = next(row.label for row in results.rows if row.role == "tested")
    return Tried(
        rows=[row for row in results.means if row.label == tested],
        base=[row for row in results.means if row.label == "none"],
        balance=evaluation.balance(results, tested),
    )


def show(rows: dict[str, list[MeanRow]]) -> None:
    """Print a line for each setting and kind of target."""
    columns = headings_of(row.scores for found in rows.values() for row in found)
    table = Table("settings", "targets", *(item.label for item in columns), "UFE", "seconds")
    for name, found in rows.items():
        for row in found:
            cells = [value_text(row.scores[metric], digits) for metric, _, digits in columns]
            table.add_row(escape(name), row.kind, *cells, *cost(row)[:2])
    console.print(table)


def plot(rows: dict[str, list[MeanRow]], *, title: str, path: Path) -> None:
    """Write forgetting (UA) against retention (mean of IRA and CRA), a panel a kind of target."""
    figure = Figure(figsize=(10, 4.2), dpi=110)
    for axis, kind in zip(figure.subplots(1, 2), ("style", "object"), strict=True):
        for name, found in rows.items():
            for row in (item for item in found if item.kind == kind):
                gone, *kept = (row.scores[metric].value for metric in PLOTTED)
                point = gone, sum(kept) / len(kept)
                axis.scatter(*point, color="black" if name == "none" else None)
                axis.annotate(name, point, fontsize=6.5, xytext=(3, 3), textcoords="offset points")
        axis.axvspan(90, 101, color="green", alpha=0.06)
        axis.set(xlim=(-3, 103), ylim=(0, 103), xlabel="UA, %", title=f"{title}: {kind} targets")
        axis.set_ylabel("mean of IRA and CRA, %")
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    run_app(app)
