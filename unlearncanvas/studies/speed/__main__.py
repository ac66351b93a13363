"""How fast the grid engine draws and ESD erases, against the plain ways, measured in one run.

    python -m unlearncanvas.studies.speed                        # the mini canvas, on a laptop
    python -m unlearncanvas.studies.speed --model sd15 --size 512 --steps 20 --device cuda

All ways take turns, each round begun by another, so that a noisy machine is noisy for each.
``sd15`` is the architecture of Stable Diffusion 1.5 with random weights, which costs what the real
one costs.
"""

import copy
import time
from collections.abc import Sequence
from statistics import median
from typing import Annotated, NamedTuple

import torch
import typer
from diffusers import StableDiffusionPipeline
from rich.console import Console
from rich.table import Table

from erasers.esd import ESD
from unlearncanvas.canvases.detectors import Detectors
from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.cli.app import run_app
from unlearncanvas.core.registry import choose
from unlearncanvas.engine.options import checked_optimizations, pick_device, runnable_dtype, split
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.pipelines.base_model import load_base
from unlearncanvas.pipelines.optimizations import prepare_pipeline
from unlearncanvas.pipelines.quiet import silence_libraries
from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.studies.speed.ceiling import matmul_ceiling, unet_operations, wait
from unlearncanvas.studies.speed.drawing import Way, engine, pipeline
from unlearncanvas.studies.speed.esd_loop import plain_esd
from unlearncanvas.studies.speed.parts import timed_parts
from unlearncanvas.studies.speed.stand_in import build_stand_in
from unlearncanvas.types import Concept, Task

DTYPES = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16")}
app = typer.Typer(add_completion=False, rich_markup_mode=None)
console = Console(emoji=False)


class Subject(NamedTuple):
    """What is measured.

    Attributes:
        name: For the table.
        base: The pipeline, float32.
        sampler: How it draws.
        requests: What it draws.
        detectors: Detectors that belong to the engine's work, if any.
    """

    name: str
    base: StableDiffusionPipeline
    sampler: Sampler
    requests: list[Request]
    detectors: Detectors | None

    def pipe(self, dtype: str) -> StableDiffusionPipeline:
        """Return a copy to draw with."""
        return copy.deepcopy(self.base).to(DTYPES[dtype])


@app.command()
def speed(
    model: Annotated[str, typer.Option(help="mini or sd15 (random weights).")] = "mini",
    size: Annotated[
        int | None, typer.Option(min=64, help="Pixels, for sd15; default: 256, on CUDA 512.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Sampling steps; default: 4, mini and CUDA 20.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images a batch; default: 4, mini 50, CUDA 16.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that each takes.")] = 3,
    loop_images: Annotated[int, typer.Option(min=1, help="Images a turn, one a call.")] = 4,
    optimize: Annotated[
        str | None, typer.Option(help="What to try on the engine: compile, channels-last or both.")
    ] = None,
    esd_steps: Annotated[int, typer.Option(min=0, help="Steps of ESD; 0 leaves it out.")] = 4,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Print images a second of every way, where the time goes, and seconds of an ESD step."""
    silence_libraries()
    where = pick_device(device)
    tried = checked_optimizations(split(optimize, "--optimize"))
    subject = _subject(
        choose("model", model, ["mini", "sd15"]), where, size=size, steps=steps, batch=batch_size
    )
    console.print(f"{subject.name}, {_machine(where)}, torch {torch.__version__}")
    _drawing(subject, tried, rounds, loop_images)
    if esd_steps:
        _erasing(subject, esd_steps, rounds)


def _subject(
    model: str, device: torch.device, *, size: int | None, steps: int | None, batch: int | None
) -> Subject:
    rules = load_protocol("mini" if model == "mini" else "unlearncanvas")
    cuda = device.type == "cuda"
    changes: dict[str, object] = {"dtype": runnable_dtype(rules.sampler.dtype, device)}
    if model == "sd15":
        side = size or (512 if cuda else 256)
        changes |= {"height": side, "width": side, "num_inference_steps": 20 if cuda else 4}
        changes |= {"batch_size": 16 if cuda else 4}
    asked = {"num_inference_steps": steps, "batch_size": batch}
    changes |= {key: value for key, value in asked.items() if value is not None}
    sampler = rules.sampler.model_copy(update=changes)
    base = load_base(rules.model) if model == "mini" else build_stand_in()
    cells = [*rules.cells()] * (1 + sampler.batch_size // len(rules.cells()))
    return Subject(
        name=f"{model}, {sampler.height} px, {sampler.num_inference_steps} steps",
        base=base.to(device),
        sampler=sampler,
        requests=[
            Request(cell=cell, seed=7, prompt=rules.ask(cell))
            for cell in cells[: sampler.batch_size]
        ],
        detectors=load_detectors(rules.detectors, device=device) if model == "mini" else None,
    )


def _drawing(subject: Subject, tried: Sequence[str], rounds: int, loop_images: int) -> None:
    sampler, requests, dtype = subject.sampler, subject.requests, subject.sampler.dtype
    few = requests[:loop_images]
    pipe = subject.pipe(dtype)
    seen = "" if subject.detectors is None else ", detectors included"
    ways = {
        f"engine, batches of {len(requests)}{seen}": engine(
            pipe, requests, sampler, subject.detectors
        )
    }
    together = [tuple(tried)] if len(tried) > 1 else []
    for names in [*((name,) for name in tried), *together]:
        own = sampler.model_copy(update={"optimizations": names})
        pipe_so = prepare_pipeline(subject.pipe(dtype), own)
        ways[f"engine, {' and '.join(names)}"] = engine(pipe_so, requests, own, subject.detectors)
    ways |= {
        "(b) pipeline, one call a batch": pipeline(
            subject.pipe(dtype), requests, sampler, batch_size=len(requests)
        ),
        "(a) pipeline, one call an image": pipeline(
            subject.pipe(dtype), few, sampler, batch_size=1
        ),
        "(c) the same in float32": pipeline(subject.pipe("float32"), few, sampler, batch_size=1),
    }
    rates = _rates(ways, rounds, pipe.device)
    ours = next(iter(rates.values()))
    table = Table(title=f"Drawing in {dtype}", title_style="bold")
    for heading in ("way", "images/s", "ms an image", "engine / way"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for name, values in rates.items():
        table.add_row(name, f"{max(values):.2f}", f"{1000 / max(values):.0f}", _ratio(ours, values))
    console.print(table)
    _parts(subject, pipe)


def _rates(ways: dict[str, Way], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """What each way does a second, in each round; a round before does not count.

    Every round another way begins, so that none always follows the one that leaves the most memory
    to be faulted in again.
    """
    rates: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            wait(device)
            start = time.perf_counter()
            count = ways[name]()
            wait(device)
            if turn:
                rates[name].append(count / (time.perf_counter() - start))
    return rates


def _ratio(ours: list[float], other: list[float]) -> str:
    """How many times as fast, round by round: the median and the range."""
    ratios = [own / its for own, its in zip(ours, other, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _parts(subject: Subject, pipe: StableDiffusionPipeline) -> None:
    sampler, count = subject.sampler, len(subject.requests)
    draw = engine(pipe, subject.requests, sampler, subject.detectors)
    with timed_parts(pipe, subject.detectors) as parts:
        start = time.perf_counter()
        draw()
        wait(pipe.device)
        total = time.perf_counter() - start
    seconds = dict(parts)
    operations = 2 * count * sampler.num_inference_steps
    operations *= unet_operations(pipe, sampler.height, sampler.width)
    reached, ceiling = operations / seconds["UNet"], matmul_ceiling(pipe.device, pipe.unet.dtype)
    seconds["the rest (scheduler, noise, copies)"] = total - sum(seconds.values())
    table = Table("where the engine's time goes", "share", "ms an image")
    for name, value in sorted(seconds.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{100 * value / total:.0f} %", f"{1000 * value / count:.1f}")
    console.print(table)
    console.print(
        f"the UNet computes {reached / 1e9:,.0f} GFLOP/s, a large matrix product "
        f"{ceiling / 1e9:,.0f}: {100 * reached / ceiling:.0f} %"
    )


def _erasing(subject: Subject, steps: int, rounds: int) -> None:
    """Seconds of an ESD step, ours against the plain loop, on the same draws."""
    eraser = ESD(steps=steps, batch_size=1, num_inference_steps=10)
    task = Task(targets=(Concept(kind="style", name="Mosaic"),), seed=0)
    base = subject.base
    side = subject.sampler.height // base.vae_scale_factor
    base.unet.register_to_config(sample_size=side)

    def ours() -> int:
        eraser.erase(base, task)
        return steps

    def plain_loop() -> int:
        plain_esd(base, eraser, eraser.prompt(task.target, task), 0)
        return steps

    rates = _rates({"ours": ours, "plain loop": plain_loop}, rounds, base.device)
    fast, plain = rates.values()
    console.print(
        f"ESD in float32, {steps} steps with the same draws: {1 / max(fast):.2f} s a step, "
        f"the plain loop {1 / max(plain):.2f} s; ratio {_ratio(fast, plain)}"
    )


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU threads"


def main() -> None:
    """Run the command."""
    run_app(app)


if __name__ == "__main__":
    main()
