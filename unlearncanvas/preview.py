"""What a plan would do, and what it takes: images, work, time on this machine, room on the disk."""

import shutil
import time
from pathlib import Path

import numpy as np
from diffusers import StableDiffusionPipeline
from rich.console import Console

from unlearncanvas.exam import Exam
from unlearncanvas.listener import Silent
from unlearncanvas.plan import Plan
from unlearncanvas.protocol import Protocol
from unlearncanvas.sample import Request, draw_batch
from unlearncanvas.tables import size
from unlearncanvas.terminal import silence_libraries

ROW_BYTES = 400
"""Of a chunk's row beside features and probabilities: prompt, names, digest."""


def seconds_per_image(pipe: StableDiffusionPipeline, protocol: Protocol, seed: int) -> float:
    """Draw one batch of the grid, and return what an image of it takes."""
    sampler, cells = protocol.sampler, protocol.cells()
    requests = [
        Request(cell=cell, seed=seed, prompt=protocol.ask(cell))
        for cell in cells[: sampler.batch_size]
    ]
    draw_batch(pipe, requests if "compile" in sampler.optimizations else requests[:2], sampler)
    start = time.perf_counter()
    draw_batch(pipe, requests, sampler)
    return (time.perf_counter() - start) / len(requests)


def preview(plan: Plan, console: Console) -> None:
    """Print what a plan would do. One batch is drawn, to know what an image takes."""
    silence_libraries()
    exam = Exam(plan=plan, listener=Silent())
    sampler, pipe = plan.protocol.sampler, exam.base_pipeline()
    per_image = seconds_per_image(pipe, plan.protocol, plan.seeds[0])
    guided = 2 if sampler.guidance_scale > 1 else 1
    per_ufe = per_image / (sampler.num_inference_steps * guided)
    width = 2 if plan.artefacts == "half" else 4
    whole = width * sum(weight.numel() for weight in pipe.unet.parameters())
    seconds, stored = 0.0, 0
    for eraser in plan.erasers:
        jobs = [job for job in plan.jobs() if job.eraser is eraser]
        images = sum(map(plan.images_of, jobs)) * len(plan.seeds)
        work = eraser.eraser.planned_ufe()
        seconds += images * per_image + (work or 0) * len(jobs) * per_ufe
        stored += _left(plan, len(jobs)) * whole if eraser.eraser.leaves == "weights" else 0
        ufe = "unknown" if work is None else f"{work:,}"
        console.print(
            f"{eraser.name:12} {len(jobs):3} models x {len(plan.seeds)} seeds: "
            f"{images:6,} images, UFE a model {ufe}"
        )
    console.print(
        f"{plan.num_images():,} images at {1000 * per_image:.0f} ms: about {_duration(seconds)} "
        f"on this {plan.device.type}, if nothing is there yet; protocol {plan.protocol.name} "
        f"{plan.whole.digest[:12]}",
        soft_wrap=True,
    )
    chunks = plan.num_images() * _bytes_per_image(exam)
    free = shutil.disk_usage(_existing(plan.out)).free
    console.print(
        f"disk: {size(chunks)} of predictions and features, erased weights at most "
        f"{size(stored)} (UNets, {plan.artefacts}); free under {plan.out}: {size(free)}",
        soft_wrap=True,
    )


def _left(plan: Plan, num_models: int) -> int:
    """How many erased models are on the disk at the same time."""
    return min(1, num_models) if plan.artefacts == "dropped" else num_models


def _bytes_per_image(exam: Exam) -> int:
    """A row of a chunk: float16 features, float32 probabilities, and the rest."""
    sampler = exam.plan.protocol.sampler
    seen = exam.eyes.detect([np.zeros((sampler.height, sampler.width, 3), dtype=np.uint8)])
    features = sum(values.size for values in seen.features.values())
    return 2 * features + 4 * (seen.style_prob.size + seen.object_prob.size) + ROW_BYTES


def _duration(seconds: float) -> str:
    """Return a time as a person would say it."""
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _existing(path: Path) -> Path:
    """Return a folder, or the first above it that exists."""
    return path if path.exists() else _existing(path.resolve().parent)
