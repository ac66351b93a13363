"""Ways to draw the same images: our engine and diffusers' pipeline."""

from collections.abc import Callable, Sequence

import torch
from diffusers import StableDiffusionPipeline

from unlearncanvas.detect import Eyes
from unlearncanvas.protocol import cell_seed
from unlearncanvas.protocol_parts import Sampler
from unlearncanvas.sample import Request, build_scheduler, draw_batch

Way = Callable[[], int]
"""Draws, and returns how many images."""


def engine(
    pipe: StableDiffusionPipeline, requests: Sequence[Request], sampler: Sampler, eyes: Eyes | None
) -> Way:
    """Return our engine: batches, both halves of the guidance in one call, detectors if any."""

    def draw() -> int:
        for start in range(0, len(requests), sampler.batch_size):
            images = draw_batch(pipe, requests[start : start + sampler.batch_size], sampler)
            if eyes is not None:
                eyes.detect(list(images))
        return len(requests)

    return draw


def pipeline(
    pipe: StableDiffusionPipeline, requests: Sequence[Request], sampler: Sampler, *, batch_size: int
) -> Way:
    """Return diffusers' pipeline, ``batch_size`` prompts a call, with the same noise."""
    scheduler = build_scheduler(pipe, sampler)

    def draw() -> int:
        pipe.scheduler = scheduler
        for start in range(0, len(requests), batch_size):
            asked = requests[start : start + batch_size]
            pipe(
                [request.prompt for request in asked],
                num_inference_steps=sampler.num_inference_steps,
                guidance_scale=sampler.guidance_scale,
                height=sampler.height,
                width=sampler.width,
                generator=[
                    torch.Generator().manual_seed(cell_seed(request.seed, request.cell))
                    for request in asked
                ],
            )
        return len(requests)

    return draw
