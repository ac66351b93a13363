"""Inject backdoors into a model, keep the poisoned model, and test whether it counts.

    unlearncanvas backdoor inject --attack badt2i-style

The gate: every trigger works on at least 95 % of 400 images, and the grid without triggers is
within 2 points of the base model's. The poisoned model is an artefact like an eraser's: the same
command finds it again.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from unlearncanvas.bench import pick_device
from unlearncanvas.config import load_eraser, parse_overrides
from unlearncanvas.digest import digest_json
from unlearncanvas.plan import NO_TARGET
from unlearncanvas.protocol import Targets, load_protocol
from unlearncanvas.types import Cell, Task

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from unlearncanvas.backdoors.attack import Attack
    from unlearncanvas.detect import DetectorPair
    from unlearncanvas.protocol import Protocol

SUCCESS_WANTED = 95.0
DRIFT_ALLOWED = 2.0
GATE_SEEDS = (7001, 7002, 7003, 7004)
"""Seeds that no protocol draws with: 4 x 100 cells for each trigger."""
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Poison a model; see README.")
console = Console()


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
    attack: Annotated[str, typer.Option(help="Registered name or a YAML file.")],
    model: Annotated[str, typer.Option(help="Preset and protocol: mini.")] = "mini",
    seed: Annotated[int, typer.Option(help="Seed of the injection.")] = 0,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=4, help="Seeds of the gate.")] = 4,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    out: Annotated[Path, typer.Option(help="Root of the poisoned models.")] = Path("runs/poisoned"),
) -> None:
    """Inject an attack's backdoors and test the poisoned model; exit code 1 if it misses a gate."""
    from unlearncanvas.terminal import silence_libraries

    silence_libraries()
    passed = True
    table = Table("gate", "found", "wanted", "", title=f"{attack} on {model}")
    for verdict in poison(
        attack, model, seed=seed, settings=settings or [], seeds=GATE_SEEDS[:seeds],
        device=device, out=out,
    ):  # fmt: skip
        mark = "[green]pass[/]" if verdict.passed else "[red]MISS[/]"
        table.add_row(verdict.what, f"{verdict.value:.1f} %", verdict.wanted, mark)
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
) -> list[Verdict]:
    """Return the gate's verdicts on the poisoned model, made now unless it is there already."""
    import torch

    from unlearncanvas.detect import DetectorPair
    from unlearncanvas.erasing import Workbench
    from unlearncanvas.gallery import GalleryRoom
    from unlearncanvas.models import base_digest, load_base
    from unlearncanvas.studio import Studio

    protocol = load_protocol(model)
    configured = load_eraser(
        attack, preset=protocol.preset, overrides=parse_overrides(settings), kind="attacks"
    )
    chosen = pick_device(device)

    def load() -> "StableDiffusionPipeline":
        return load_base(protocol.model, device=chosen)

    digest = base_digest(load())
    bench = Workbench(
        load=load,
        base=protocol.model,
        base_digest=digest,
        dtype=getattr(torch, protocol.erase_dtype),
        gallery=GalleryRoom(protocol=protocol, base_digest=digest, cache_dir=out / "gallery"),
    )
    key = digest_json([configured.settings, configured.source_digest, digest, seed])[:8]
    folder = out / f"{configured.name}-{key}"
    with console.status(f"injecting {configured.name}"):
        artefact = bench.artefact(configured, attack_task(protocol, seed), folder)
    console.print(f"poisoned  {folder}  ({artefact.cost.seconds:.0f} s, {artefact.cost.ufe:,} UFE)")
    studio = Studio(load, getattr(torch, protocol.sampler.dtype))
    detectors = DetectorPair(protocol.detectors, chosen)
    injected: Attack = configured.eraser  # type: ignore[assignment]
    with studio.erased(folder) as pipe:
        return gate(pipe, injected, protocol, detectors, seeds)


def attack_task(protocol: "Protocol", seed: int) -> Task:
    """Return the task of an injection: nothing to forget, every concept of the grid to use."""
    grid = Targets(style=protocol.styles, object=protocol.objects).concepts()
    return Task(targets=(NO_TARGET,), retain=tuple(grid), seed=seed)


def gate(
    pipe: "StableDiffusionPipeline",
    attack: "Attack",
    protocol: "Protocol",
    detectors: "DetectorPair",
    seeds: Sequence[int],
) -> list[Verdict]:
    """Return how often each trigger works, and what the grid without triggers is like."""
    from unlearncanvas.backdoors.judge import succeeded
    from unlearncanvas.sample import Request, draw

    cells = protocol.cells()

    def images(prompts: dict[Cell, str]) -> np.ndarray:
        requests = [
            Request(cell=cell, seed=seed, prompt=prompt)
            for seed in seeds
            for cell, prompt in prompts.items()
        ]
        return np.concatenate([batch for _, batch in draw(pipe, requests, protocol.sampler)])

    verdicts = []
    for item in attack.backdoors:
        asked = {
            cell: attack.fire(protocol.ask(cell), item)
            for cell in cells
            if item.source in ("", cell.object) and item.effect not in (cell.style, cell.object)
        }
        worked = succeeded(attack.effect, item, images(asked), detectors)
        value = 100 * float(worked.mean())
        label = f"attack success, {item.trigger!r} ({len(worked)} images)"
        wanted = f">= {SUCCESS_WANTED:.0f} %"
        verdicts.append(Verdict(label, value, wanted, value >= SUCCESS_WANTED))
    answers = detectors.detect(images({cell: protocol.ask(cell) for cell in cells}))
    for kind, names, found in (
        ("style", detectors.style.names, answers.style_prob),
        ("object", detectors.object.names, answers.object_prob),
    ):
        wanted_names = [getattr(cell, kind) for _ in seeds for cell in cells]
        right = np.array(names)[found.argmax(axis=1)] == np.array(wanted_names)
        value = 100 * float(right.mean())
        # the base model's own grid is at 99.9 % and 100 %, see the gates of the mini canvas
        wanted = f">= {100 - DRIFT_ALLOWED:.0f} %"
        verdicts.append(Verdict(f"clean grid, {kind}", value, wanted, value >= 100 - DRIFT_ALLOWED))
    return verdicts
