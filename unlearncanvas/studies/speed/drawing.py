"""Ways to draw the same images: our engine and diffusers' pipeline."""

from collections.abc import Callable, Sequence

import torch
from diffusers import StableDiffusionPipeline

from unlearncanvas.canvases.detectors import Detectors
from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.sampling import Request, build_scheduler, cell_seed, draw_batch

Way = Callable[[], int]
"""Draws, and returns how many images."""


def engine(
    pipe: StableDiffusionPipeline,
    requests: Sequence[Request],
    sampler: Sampler,
    detectors: Detectors | None,
) -> Way:
    """Return our engine: batches, both halves of the guidance in one call, detectors if any."""

    def draw() -> int:
        for start in range(0, len(requests), sampler.batch_size):
            images = draw_batch(pipe, requests[start : start + sampler.batch_size], sampler)
            if detectors is not None:
                detectors.detect(list(images))
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
