"""Ways to draw the same images: our engine, its variants, and diffusers' pipeline."""

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


def channels_last(pipe: StableDiffusionPipeline) -> StableDiffusionPipeline:
    """Lay the images' channels side by side in memory."""
    pipe.unet.to(memory_format=torch.channels_last)
    pipe.vae.to(memory_format=torch.channels_last)
    return pipe


def compiled(pipe: StableDiffusionPipeline) -> StableDiffusionPipeline:
    """Compile the UNet; on CUDA its kernels are replayed as graphs."""
    mode = "reduce-overhead" if pipe.device.type == "cuda" else "default"
    pipe.unet.forward = torch.compile(pipe.unet.forward, mode=mode)
    return pipe


VARIANTS: dict[str, Callable[[StableDiffusionPipeline], StableDiffusionPipeline]] = {
    "channels-last": channels_last,
    "compiled": compiled,
}
