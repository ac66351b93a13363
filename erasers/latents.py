"""Images as latents with noise on them: what every data-driven eraser trains on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor

from erasers.embeddings import embed
from unlearncanvas.types import CaptionedImages

_ENCODED_AT_ONCE = 32


class Noised(NamedTuple):
    """A batch of the forward process.

    Attributes:
        x_t: Noised latents, [b, 4, h, w].
        t: Timestep of each, [b].
        goal: What a perfect UNet would answer: the noise, or the velocity.
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
        """Draw latents, timesteps t ~ U{0..T-1} and noise for these images, and mix them."""
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
def encode(pipe: StableDiffusionPipeline, gallery: CaptionedImages) -> LatentImages:
    """Return a gallery's images through the autoencoder's encoder."""
    means, stds = [], []
    for start in range(0, len(gallery.pixels), _ENCODED_AT_ONCE):
        pixels = torch.from_numpy(gallery.pixels[start : start + _ENCODED_AT_ONCE])
        images = pixels.permute(0, 3, 1, 2).to(pipe.device).float() / 127.5 - 1
        latents = pipe.vae.encode(images).latent_dist
        means.append(latents.mean.float() * pipe.vae.config.scaling_factor)
        stds.append(latents.std.float() * pipe.vae.config.scaling_factor)
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    return LatentImages(mean=torch.cat(means), std=torch.cat(stds), scheduler=scheduler)


def texts(pipe: StableDiffusionPipeline, prompts: Sequence[str]) -> Float[Tensor, "n token emb"]:
    """Return the embeddings of the prompts as one tensor; equal prompts are encoded once."""
    distinct = list(dict.fromkeys(prompts))
    found = dict(zip(distinct, embed(pipe, distinct), strict=True))
    return torch.stack([found[prompt].tokens for prompt in prompts])


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
    """Yield the first rows again and again: ``next(iter(loader))`` of an unshuffled loader."""
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
