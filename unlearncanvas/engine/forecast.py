"""What a plan would do, and what it takes: images, work, bytes; and, with the weights, time.

Nothing is downloaded and only the base model is loaded, so that a plan can be made where there are
no weights.
"""

import shutil
import time
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from rich.console import Console

from unlearncanvas.canvases.load import row_widths
from unlearncanvas.engine.grid import Grid
from unlearncanvas.engine.training_images import generated_ufe
from unlearncanvas.evaluations.grid.plan import Plan
from unlearncanvas.pipelines.base_model import load_base
from unlearncanvas.pipelines.optimizations import prepare_pipeline
from unlearncanvas.pipelines.quiet import silence_libraries
from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.sampling import Request, draw_batch
from unlearncanvas.pipelines.ufe import forecast
from unlearncanvas.results.tables import size

ROW_BYTES = 400
"""Of a chunk's row beside features and probabilities: prompt, names, digest."""
SD_UNET = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
"""What Stable Diffusion 1.5 sets of a UNet's configuration; the rest are the class's defaults."""


def preview(plan: Plan, console: Console) -> None:
    """Print what a plan would do. One batch is drawn, if there are weights to draw it with."""
    silence_libraries()
    drawing, erasing, stored = 0, 0, 0
    for eraser in plan.erasers:
        jobs = [job for job in plan.jobs() if job.eraser is eraser]
        images = sum(map(plan.images_of, jobs)) * len(plan.seeds)
        generated = generated_ufe(eraser.eraser, [job.task for job in jobs])
        drawing += images * ufe_of_image(plan.protocol.for_eraser(eraser.name).sampler)
        erasing += (eraser.eraser.planned_ufe() or 0) * len(jobs) + generated
        stored += _left(plan, len(jobs)) if eraser.eraser.leaves == "weights" else 0
        console.print(
            f"{eraser.name:12} {len(jobs):3} models x {len(plan.seeds)} seeds: "
            f"{images:6,} images, UFE a model {forecast(eraser.eraser)}"
            + (f", and {generated:,} for images to learn from" if generated else ""),
            soft_wrap=True,
            markup=False,
        )
    say_work(console, plan.protocol.name, plan.whole.digest, plan.num_images(), drawing, erasing)
    pipe, reason = local_base(plan.model, plan.protocol.sampler, plan.device)
    chunks = plan.num_images() * row_bytes(plan.protocol)
    say_disk(console, plan.out, chunks, stored, pipe, half=plan.artifacts == "half")
    say_time(console, pipe, reason, plan.protocol, images=plan.num_images(), erasing=erasing)


def say_work(
    console: Console, protocol: str, digest: str, images: int, drawing: int, erasing: int
) -> None:
    """Print what all erasers take together."""
    console.print(
        f"{images:,} images: {drawing:,} UFE to draw them (hooks may add some), about "
        f"{erasing:,} UFE to erase; protocol {protocol} {digest[:12]}",
        soft_wrap=True,
        markup=False,
    )


def say_disk(
    console: Console,
    out: Path,
    chunks: int,
    num_unets: int,
    pipe: StableDiffusionPipeline | None,
    *,
    half: bool = False,
) -> None:
    """Print what is written; without the base model, its UNet is taken for Stable Diffusion's."""
    whole = (2 if half else 4) * num_parameters(pipe)
    kind = "half" if half else "whole"
    unets = f"UNets, {kind}" if pipe else f"UNets of Stable Diffusion 1.5, {kind}"
    free = shutil.disk_usage(_existing(out)).free
    console.print(
        f"disk: {size(chunks)} of predictions and features, erased weights at most "
        f"{size(num_unets * whole)} ({unets}); free under {out}: {size(free)}",
        soft_wrap=True,
        markup=False,
    )


def say_time(
    console: Console,
    pipe: StableDiffusionPipeline | None,
    reason: str,
    grid: Grid,
    *,
    images: int,
    erasing: int,
) -> None:
    """Draw a batch, and print what a plan takes on this machine; without a model, the reason."""
    if pipe is None:
        console.print(
            f"time: unknown, it is measured by drawing a batch: {reason}",
            soft_wrap=True, markup=False,
        )  # fmt: skip
        return
    per_image = seconds_per_image(pipe, grid)
    drawn = images * per_image
    erased = erasing * per_image / ufe_of_image(grid.sampler)
    console.print(
        f"time: {images:,} images at {1000 * per_image:.1f} ms: {_duration(drawn)}; erasing: about "
        f"{_duration(erased)}; together about {_duration(drawn + erased)} on this "
        f"{pipe.device.type}, if nothing is there yet",
        soft_wrap=True,
        markup=False,
    )


def local_base(
    model: str, sampler: Sampler, device: torch.device
) -> tuple[StableDiffusionPipeline | None, str]:
    """Return a base model that is on this machine, ready to draw; else None, and why."""
    try:
        return prepare_pipeline(load_base(model, device=device, download=False), sampler), ""
    except ValueError as exc:
        return None, str(exc)


def seconds_per_image(pipe: StableDiffusionPipeline, grid: Grid) -> float:
    """Draw one batch of the grid, and return what an image of it takes."""
    sampler, cells = grid.sampler, grid.cells()
    requests = [
        Request(cell=cell, seed=0, prompt=grid.ask(cell)) for cell in cells[: sampler.batch_size]
    ]
    draw_batch(pipe, requests if "compile" in sampler.optimizations else requests[:2], sampler)
    start = time.perf_counter()
    draw_batch(pipe, requests, sampler)
    return (time.perf_counter() - start) / len(requests)


def ufe_of_image(sampler: Sampler) -> int:
    """Return the UNet forward equivalents of drawing an image."""
    return sampler.num_inference_steps * (2 if sampler.guidance_scale > 1 else 1)


def num_parameters(pipe: StableDiffusionPipeline | None) -> int:
    """Return the parameters of a UNet; of Stable Diffusion 1.5's without a pipeline."""
    if pipe is not None:
        return sum(weight.numel() for weight in pipe.unet.parameters())
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SD_UNET)
    return sum(weight.numel() for weight in unet.parameters())


def row_bytes(grid: Grid) -> int:
    """Return the bytes of a chunk's row: float16 features, float32 probabilities, and the rest."""
    features, probabilities = row_widths(grid.detectors, grid.extractors())
    return 2 * features + 4 * probabilities + ROW_BYTES


def _left(plan: Plan, num_models: int) -> int:
    """How many erased models are on the disk at the same time."""
    return min(1, num_models) if plan.artifacts == "dropped" else num_models


def _duration(seconds: float) -> str:
    """Return a time as a person would say it."""
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _existing(path: Path) -> Path:
    """Return a folder, or the first above it that exists."""
    return path if path.exists() else _existing(path.resolve().parent)
