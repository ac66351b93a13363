"""Inject backdoors into a model, keep the poisoned model, and test whether it counts.

    unlearncanvas backdoor inject --attack badt2i-style

The gate: every trigger works on at least 95 % of 400 images, and the detectors recognise the grid
without triggers as often as the base model's, within 2 points. The poisoned model is an artifact
like an eraser's: the same command finds it again.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from unlearncanvas.cli import completion
from unlearncanvas.core.building import parse_overrides
from unlearncanvas.core.fields import MAX_SEED
from unlearncanvas.pipelines.methods import load_eraser
from unlearncanvas.types import Cell, Domain

if TYPE_CHECKING:
    from unlearncanvas.canvases.detectors import Detectors
    from unlearncanvas.canvases.sources import Sources
    from unlearncanvas.engine.grid import Grid
    from unlearncanvas.engine.model_store import ModelStore
    from unlearncanvas.engine.recipe import Recipe
    from unlearncanvas.evaluations.backdoor.attacks.base import Attack

GATE_SEEDS = (7001, 7002, 7003, 7004)
"""Seeds that no protocol draws with: 4 x 100 cells for each trigger."""
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Poison a model; see README.")
console = Console(emoji=False)


class Verdict(NamedTuple):
    """One line of the gate.

    Attributes:
        what: Backdoor or grid.
        value: Percent.
        wanted: In words.
        passed: Whether it holds.
    """

    what: str
    value: float
    wanted: str
    passed: bool


@app.callback()
def backdoor() -> None:
    """Keep ``inject`` a subcommand."""


@app.command()
def inject(
    attack: Annotated[
        str,
        typer.Option(
            help="Registered name or a YAML file.", autocompletion=completion.of("attacks")
        ),
    ],
    model: Annotated[
        str, typer.Option(help="Protocol that gives model and grid: mini, unlearncanvas:quick.")
    ] = "mini",
    base: Annotated[
        str | None, typer.Option(help="Another base model: a diffusers folder or a Hub id.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the injection.")] = 0,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=4, help="Seeds of the gate.")] = 4,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    detectors: Annotated[
        str | None, typer.Option(help="Folder of the classifiers' weights, for UnlearnCanvas.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="UnlearnCanvas' images, for BadT2I there.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Root of the poisoned models.")] = Path("runs/poisoned"),
) -> None:
    """Inject an attack's backdoors and test the poisoned model; exit code 1 if it misses a gate."""
    from unlearncanvas.canvases.sources import Sources
    from unlearncanvas.pipelines.quiet import silence_libraries

    silence_libraries()
    passed = True
    table = Table("gate", "found", "wanted", "", title=escape(f"{attack} on {model}"))
    for verdict in poison(
        attack, model, seed=seed, settings=settings or [], seeds=GATE_SEEDS[:seeds],
        device=device, out=out, base=base, sources=Sources(detectors=detectors, dataset=dataset),
    ):  # fmt: skip
        mark = "[green]pass[/]" if verdict.passed else "[red]MISS[/]"
        table.add_row(escape(verdict.what), f"{verdict.value:.1f} %", verdict.wanted, mark)
        passed = passed and verdict.passed
    console.print(table)
    if not passed:
        raise typer.Exit(1)


def poison(
    attack: str,
    model: str,
    *,
    seed: int,
    settings: Sequence[str],
    seeds: Sequence[int],
    device: str,
    out: Path,
    base: str | None = None,
    sources: "Sources",
) -> list[Verdict]:
    """Return the gate's verdicts on the poisoned model, made now unless it is there already."""
    from unlearncanvas.canvases.load import load_detectors
    from unlearncanvas.engine.opening import store_of
    from unlearncanvas.engine.options import drawing_as_asked, pick_device
    from unlearncanvas.engine.recipe import Recipe, Step
    from unlearncanvas.evaluations.backdoor.image_sets import open_to
    from unlearncanvas.evaluations.backdoor.protocol import load_grid
    from unlearncanvas.evaluations.backdoor.tasks import as_attack, injection_task

    chosen = pick_device(device)
    protocol = drawing_as_asked(load_grid(model), chosen, dtype=None, batch_size=None)
    configured = load_eraser(
        attack, preset=protocol.preset, overrides=parse_overrides(settings), kind="attacks"
    )
    injected = as_attack(configured)
    for item in injected.backdoors:
        if not open_to(protocol.cells(), item):
            raise ValueError(f"{protocol.name} draws no {item.source!r}, the source of a backdoor")
    name = protocol.model if base is None else base
    clean = Recipe(base=name)
    task = injection_task(protocol, seed)
    poisoned = replace(clean, steps=(Step(method=configured, task=task, name=f"seed{seed}"),))
    store = store_of(
        protocol,
        model=name,
        device=chosen,
        sources=sources,
        root=out,
        folder_of=lambda recipe: recipe.folder(protocol.digest),
    )
    with console.status(escape(f"injecting {configured.name}")):
        cost = store.artifact(poisoned).cost
    console.print(
        f"poisoned  {store.folder(poisoned)}  ({cost.seconds:.0f} s, {cost.ufe:,} UFE)",
        soft_wrap=True,
        markup=False,
    )
    detectors = load_detectors(protocol.detectors, device=chosen, sources=sources)
    return gate(store, (clean, poisoned), injected, protocol, detectors, seeds)


def gate(
    store: "ModelStore",
    models: "tuple[Recipe, Recipe]",
    attack: "Attack",
    protocol: "Grid",
    detectors: "Detectors",
    seeds: Sequence[int],
) -> list[Verdict]:
    """Return how often each trigger works, and what the grid without triggers is like.

    Args:
        store: Lends the models.
        models: The clean one and the poisoned one.
        attack: What was injected.
        protocol: The grid.
        detectors: What is run on the images.
        seeds: Seeds of the clean grid.
    """
    from metrics.proportion import accuracy
    from unlearncanvas.engine.chunks import to_predictions
    from unlearncanvas.engine.drawing import detected_table, draw_all
    from unlearncanvas.evaluations.backdoor.image_sets import open_to
    from unlearncanvas.evaluations.backdoor.judge import Shown, succeeded
    from unlearncanvas.evaluations.backdoor.scores import DRIFT_ALLOWED, SUCCESS_WANTED
    from unlearncanvas.pipelines.sampling import Request

    cells, names = protocol.cells(), [*protocol.styles, *protocol.objects]

    def shown(recipe: "Recipe", prompts: dict[Cell, str], seeds: Sequence[int]) -> Shown:
        requests = [
            Request(cell=cell, seed=seed, prompt=prompt)
            for seed in seeds
            for cell, prompt in prompts.items()
        ]
        with store.lend(recipe) as lent:
            images = draw_all(lent.pipe, requests, protocol.sampler, on_batch=lambda _: None)
        return Shown(to_predictions([detected_table(requests, images, detectors)]), images)

    verdicts = []
    for item in attack.backdoors:
        asked = {cell: attack.fire(protocol.ask(cell), item) for cell in open_to(cells, item)}
        enough = range(seeds[0], seeds[0] + -(-100 * len(seeds) // len(asked)))
        worked = succeeded(attack.effect, item, shown(models[1], asked, enough), names=names)
        value = 100 * float(worked.mean())
        label = f"attack success, {item.trigger!r} ({len(worked)} images)"
        wanted = f">= {SUCCESS_WANTED:.0f} %"
        verdicts.append(Verdict(label, value, wanted, value >= SUCCESS_WANTED))
    asked = {cell: protocol.ask(cell) for cell in cells}
    before, after = (shown(model, asked, seeds).predictions for model in models)
    domains: tuple[Domain, ...] = ("style", "object")
    for kind in domains:
        value, limit = accuracy(after, kind).value, accuracy(before, kind).value - DRIFT_ALLOWED
        verdicts.append(Verdict(f"clean grid, {kind}", value, f">= {limit:.1f} %", value >= limit))
    return verdicts
