"""How fast the grid engine draws, and where its time goes, measured in one run.

    python -m unlearncanvas.speed

Compares images per second of the engine with a loop that calls the diffusers pipeline once an
image, same model, scheduler, steps, guidance and dtype, taking turns so that a noisy machine is
noisy for both.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from unlearncanvas.base_model import load_base
from unlearncanvas.detect import Eyes
from unlearncanvas.eyes import open_eyes
from unlearncanvas.protocol import cell_seed, load_protocol
from unlearncanvas.sample import Request, build_scheduler, draw_batch


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Turns that both take.")] = 3,
    loop_images: Annotated[int, typer.Option(min=1, help="Images a turn of the loop.")] = 8,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Print images per second of both, their ratio, and the engine's time by part."""
    protocol = load_protocol("mini")
    sampler = protocol.sampler
    pipe = load_base(protocol.model, device=device, dtype=getattr(torch, sampler.dtype))
    eyes = open_eyes(protocol, device)
    cells = protocol.cells()[: sampler.batch_size]
    requests = [Request(cell=cell, seed=7, prompt=protocol.ask(cell)) for cell in cells]
    looped = load_base(protocol.model, device=device, dtype=getattr(torch, sampler.dtype))
    looped.scheduler = build_scheduler(looped, sampler)

    def engine() -> int:
        eyes.detect(list(draw_batch(pipe, requests, sampler)))
        return len(requests)

    def loop() -> int:
        for request in requests[:loop_images]:
            generator = torch.Generator().manual_seed(cell_seed(request.seed, request.cell))
            looped(
                request.prompt,
                num_inference_steps=sampler.num_inference_steps,
                guidance_scale=sampler.guidance_scale,
                height=sampler.height,
                width=sampler.width,
                generator=generator,
            )
        return loop_images

    engine(), loop()
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, work in (("engine", engine), ("loop", loop)):
            rates[name].append(_rate(work))
    with timed_parts(pipe, eyes) as parts:
        start = time.perf_counter()
        engine()
        total = time.perf_counter() - start
    _report(rates, parts, total, len(requests), sampler.dtype)


def _rate(work: Callable[[], int]) -> float:
    start = time.perf_counter()
    return work() / (time.perf_counter() - start)


@contextmanager
def timed_parts(pipe: Any, eyes: Eyes) -> Iterator[dict[str, float]]:
    """Add up the seconds inside the UNet, the text encoder, the decoder and the detectors."""
    parts: dict[str, float] = defaultdict(float)
    places = [
        (pipe.unet, "forward", "UNet"),
        (pipe.text_encoder, "forward", "text encoder"),
        (pipe.vae, "decode", "autoencoder, decode"),
        (eyes, "detect", "detectors"),
    ]

    def timed(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                parts[name] += time.perf_counter() - start

        return run

    for owner, attribute, name in places:
        setattr(owner, attribute, timed(getattr(owner, attribute), name))
    try:
        yield parts
    finally:
        for owner, attribute, _ in places:
            delattr(owner, attribute)


def _report(
    rates: dict[str, list[float]], parts: dict[str, float], total: float, count: int, dtype: str
) -> None:
    best = {name: max(values) for name, values in rates.items()}
    ratios = [a / b for a, b in zip(rates["engine"], rates["loop"], strict=True)]
    console = Console()
    table = Table("what", "images/s", "ms an image", title=f"Mini canvas, {dtype}")
    table.add_row(f"engine, batches of {count}, detectors included", *_speed(best["engine"]))
    table.add_row("diffusers pipeline, one call an image", *_speed(best["loop"]))
    console.print(table)
    spread = ", ".join(f"{ratio:.1f}" for ratio in ratios)
    console.print(f"ratio {sorted(ratios)[len(ratios) // 2]:.1f} x (median of {spread})")
    table = Table("where the engine's time goes", "share", "ms an image")
    parts = {**parts, "the rest (scheduler, noise, copies)": total - sum(parts.values())}
    for name, seconds in sorted(parts.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{100 * seconds / total:.0f} %", f"{1000 * seconds / count:.1f}")
    console.print(table)


def _speed(rate: float) -> tuple[str, str]:
    return f"{rate:.2f}", f"{1000 / rate:.0f}"


if __name__ == "__main__":
    typer.run(main)
