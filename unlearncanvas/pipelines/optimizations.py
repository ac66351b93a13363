"""Prepare a pipeline for its sampler: precision, memory layout, compilation."""

import torch
from diffusers import StableDiffusionPipeline

from unlearncanvas.pipelines.sampler import Sampler


def prepare_pipeline(pipe: StableDiffusionPipeline, sampler: Sampler) -> StableDiffusionPipeline:
    """Return the pipeline, changed in place, ready to draw.

    ``channels-last`` lays the channels of an image side by side in memory; ``compile`` has
    ``torch.compile`` fuse the UNet, which reads its current weights at every call.
    """
    pipe = pipe.to(getattr(torch, sampler.dtype))
    if "channels-last" in sampler.optimizations:
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
    if "compile" in sampler.optimizations:
        pipe.unet.forward = torch.compile(pipe.unet.forward)
    return pipe


def is_compiled(pipe: StableDiffusionPipeline) -> bool:
    """Whether ``prepare_pipeline`` compiled the UNet."""
    return "forward" in vars(pipe.unet)


def without_compiling(pipe: StableDiffusionPipeline) -> None:
    """Undo ``torch.compile``: a compiled UNet ignores hooks that are added later."""
    vars(pipe.unet).pop("forward", None)
