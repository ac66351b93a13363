"""Noisy latents to train on: of encoded images, or part of the way from noise to an image."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor

from unlearncanvas.types import CaptionedImages

_ENCODED_AT_ONCE = 32


class Noised(NamedTuple):
    """A batch of the forward process.

    Attributes:
        x_t: Noised latents, [b, 4, h, w].
        t: Timestep of each, [b].
        goal: Output of a perfect UNet: the noise, or the velocity.
    """

    x_t: Float[Tensor, "b 4 h w"]
    t: Int[Tensor, " b"]
    goal: Float[Tensor, "b 4 h w"]


@final
@dataclass(frozen=True, kw_only=True)
class LatentImages:
    """Encoded images: a Gaussian over latents for each, already in the UNet's scale.

    Attributes:
        mean: [n, 4, h, w].
        std: [n, 4, h, w].
        scheduler: The pipeline's noise schedule.
    """

    mean: Float[Tensor, "n 4 h w"]
    std: Float[Tensor, "n 4 h w"]
    scheduler: DDIMScheduler

    def __len__(self) -> int:
        return len(self.mean)

    def noised(self, rows: Int[Tensor, " b"], generator: torch.Generator) -> Noised:
        """Sample latents, timesteps t ~ U{0..T-1} and noise for these images, and mix them."""
        num_timesteps = self.scheduler.config.num_train_timesteps
        device = generator.device
        shape = self.mean[rows].shape
        x_0 = self.mean[rows] + self.std[rows] * torch.randn(
            shape, generator=generator, device=device
        )
        t = torch.randint(num_timesteps, (len(rows),), generator=generator, device=device)
        noise = torch.randn(shape, generator=generator, device=device)
        x_t = self.scheduler.add_noise(x_0, noise, t)
        if self.scheduler.config.prediction_type == "v_prediction":
            return Noised(x_t, t, self.scheduler.get_velocity(x_0, noise, t))
        return Noised(x_t, t, noise)


@torch.no_grad()
def encode(pipe: StableDiffusionPipeline, captioned: CaptionedImages) -> LatentImages:
    """Encode the images with the autoencoder."""
    means, stds = [], []
    for start in range(0, len(captioned.pixels), _ENCODED_AT_ONCE):
        pixels = torch.from_numpy(captioned.pixels[start : start + _ENCODED_AT_ONCE])
        images = pixels.permute(0, 3, 1, 2).to(pipe.device).float() / 127.5 - 1
        latents = pipe.vae.encode(images).latent_dist
        means.append(latents.mean.float() * pipe.vae.config.scaling_factor)
        stds.append(latents.std.float() * pipe.vae.config.scaling_factor)
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    return LatentImages(mean=torch.cat(means), std=torch.cat(stds), scheduler=scheduler)


def batches(
    count: int, batch_size: int, generator: torch.Generator
) -> Iterator[Int[Tensor, " batch"]]:
    """Yield rows without end, every image once an epoch, in a new order each epoch."""
    waiting = torch.empty(0, dtype=torch.long, device=generator.device)
    while True:
        while len(waiting) < batch_size:
            order = torch.randperm(count, generator=generator, device=generator.device)
            waiting = torch.cat([waiting, order])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]


def first_batch(
    count: int, batch_size: int, generator: torch.Generator
) -> Iterator[Int[Tensor, " batch"]]:
    """Yield the first rows at every step: ``next(iter(loader))`` of an unshuffled loader."""
    while True:
        yield torch.arange(min(count, batch_size), device=generator.device)


def squared_error(
    prediction: Float[Tensor, "b 4 h w"], goal: Float[Tensor, "b 4 h w"]
) -> Float[Tensor, ""]:
    """Return the mean squared error in full precision."""
    return (prediction.float() - goal.float()).square().mean()


def denoising_loss(
    unet: UNet2DConditionModel, noised: Noised, text: Float[Tensor, "b token emb"]
) -> Float[Tensor, ""]:
    """Return || eps_theta(x_t, c, t) - eps ||^2, the loss a diffusion model is trained with."""
    return squared_error(unet(noised.x_t, noised.t, text).sample, noised.goal)


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
    """Return the work of ``partial_sample`` for each latent of its batch.

    i of N steps are done, i ~ U{0..N-1}, with mean (N - 1) / 2 and variance (N^2 - 1) / 12; each
    counts twice with guidance.
    """
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
