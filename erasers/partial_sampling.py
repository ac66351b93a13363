"""Latents part of the way from noise to image, with the timestep that belongs to them.

Their work is random: i of N steps are done, i ~ U{0..N-1}, with mean (N - 1) / 2 and variance
(N^2 - 1) / 12; each counts twice with guidance.
"""

from typing import NamedTuple

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor


class NoisyLatents(NamedTuple):
    """Latents and their noise level.

    Attributes:
        x_t: [b, 4, h, w].
        t: Training timestep of ``x_t``, a scalar tensor.
    """

    x_t: Float[Tensor, "b 4 h w"]
    t: Tensor


class Work(NamedTuple):
    """UNet forward equivalents of one latent, over the draws of i."""

    mean: float
    std: float


def partial_sample_work(*, guidance_scale: float, num_inference_steps: int) -> Work:
    """Return the work of ``partial_sample`` for each latent of its batch."""
    halves = 2 if guidance_scale > 1 else 1
    std = ((num_inference_steps**2 - 1) / 12) ** 0.5
    return Work(halves * (num_inference_steps - 1) / 2, halves * std)


@torch.no_grad()
def partial_sample(
    pipe: StableDiffusionPipeline,
    unet: UNet2DConditionModel,
    *,
    concept: Float[Tensor, "b token emb"],
    empty: Float[Tensor, "b token emb"],
    guidance_scale: float,
    num_inference_steps: int,
    generator: torch.Generator,
) -> NoisyLatents:
    """Denoise i of N DDIM steps with guidance, i drawn uniformly from 0 .. N - 1.

    Returns the latents after i steps with ``t = scheduler.timesteps[i]``, which is their level
    exactly. The released LDM code labels them 39 to 58 training steps too noisy.
    """
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    scheduler.set_timesteps(num_inference_steps, device=unet.device)
    index = int(
        torch.randint(num_inference_steps, (), generator=generator, device=generator.device)
    )
    side = unet.config.sample_size
    shape = (len(concept), unet.config.in_channels, side, side)
    latents = torch.randn(shape, generator=generator, device=generator.device).to(unet.device)
    text = torch.cat([empty, concept]) if guidance_scale > 1 else concept
    for t in scheduler.timesteps[:index]:
        repeated = torch.cat([latents] * (len(text) // len(latents)))
        noise_pred = unet(repeated, t, text).sample.float()
        if guidance_scale > 1:
            without, with_prompt = noise_pred.chunk(2)
            noise_pred = without + guidance_scale * (with_prompt - without)
        latents = scheduler.step(noise_pred, t, latents, eta=0.0).prev_sample
    return NoisyLatents(latents, scheduler.timesteps[index])
