"""Draw cells of the grid in batches, each image from its own generator.

An image depends on its cell, its seed and the pipeline, not on order, shard or resume; on the batch
size only to rounding. The one exception is ``noise: run``, which some of UnlearnCanvas' own scripts
used: there it depends on its place in the grid.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import diffusers
import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float, UInt8
from torch import Tensor

from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.types import Cell


@dataclass(frozen=True, kw_only=True)
class Request:
    """One image to draw."""

    cell: Cell
    seed: int
    prompt: str


class NoiseSource:
    """Initial noise, generated on the CPU; see ``Sampler.noise``."""

    def __init__(self, kind: Literal["cell", "image", "run"]) -> None:
        self._kind = kind
        self._running: dict[int, torch.Generator] = {}

    def noise(
        self, requests: Sequence[Request], shape: tuple[int, int, int]
    ) -> Float[Tensor, "b c h w"]:
        """Return the noise of each request; with ``run`` they come in the order of the grid."""
        return torch.stack(
            [torch.randn(shape, generator=self._generator(request)) for request in requests]
        )

    def _generator(self, request: Request) -> torch.Generator:
        if self._kind == "cell":
            return torch.Generator().manual_seed(cell_seed(request.seed, request.cell))
        if self._kind == "image":
            return torch.Generator().manual_seed(request.seed)
        if request.seed not in self._running:
            self._running[request.seed] = torch.Generator().manual_seed(request.seed)
        return self._running[request.seed]


def build_scheduler(pipe: StableDiffusionPipeline, sampler: Sampler) -> diffusers.SchedulerMixin:
    """Return a fresh scheduler of the protocol's class, with the pipeline's noise schedule.

    Latents are not confined to [-1, 1]: a config that does not say so would get the class's
    default, which clips in some classes.
    """
    cls = getattr(diffusers, sampler.scheduler, None)
    if cls is None:
        raise ValueError(f"diffusers has no scheduler {sampler.scheduler!r}")
    scheduler = cls.from_config(pipe.scheduler.config, clip_sample=False)
    scheduler.set_timesteps(sampler.num_inference_steps, device=pipe.device)
    return scheduler


def draw_batch(
    pipe: StableDiffusionPipeline,
    requests: Sequence[Request],
    sampler: Sampler,
    source: NoiseSource | None = None,
) -> UInt8[np.ndarray, "b h w 3"]:
    """Return the images of one batch of requests; ``source`` goes on from the batch before."""
    noise = (source or NoiseSource(sampler.noise)).noise(requests, latent_shape(pipe, sampler))
    return denoise(pipe, [request.prompt for request in requests], noise, sampler)


def latent_shape(pipe: StableDiffusionPipeline, sampler: Sampler) -> tuple[int, int, int]:
    """Return the shape of one image's latents."""
    scale = pipe.vae_scale_factor
    return pipe.unet.config.in_channels, sampler.height // scale, sampler.width // scale


@torch.no_grad()
def denoise(
    pipe: StableDiffusionPipeline,
    prompts: Sequence[str],
    noise: Float[Tensor, "b c y x"],
    sampler: Sampler,
) -> UInt8[np.ndarray, "b h w 3"]:
    """Denoise to images, with the empty and the prompt half of guidance in one UNet call.

    Pixels that are not finite, as a damaged model may give, are black.
    """
    guided = sampler.guidance_scale > 1
    negative = {"negative_prompt": [sampler.negative_prompt] * len(prompts)}
    prompt_embeds, empty_embeds = pipe.encode_prompt(
        list(prompts),
        device=pipe.device,
        num_images_per_prompt=1,
        do_classifier_free_guidance=guided,
        **(negative if sampler.negative_prompt else {}),
    )
    text = torch.cat([empty_embeds, prompt_embeds]) if guided else prompt_embeds
    scheduler = build_scheduler(pipe, sampler)
    latents = noise.to(pipe.device) * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        repeated = torch.cat([latents, latents]) if guided else latents
        repeated = scheduler.scale_model_input(repeated, t).to(pipe.unet.dtype)
        noise_pred = pipe.unet(repeated, t, encoder_hidden_states=text).sample.float()
        if guided:
            without, with_prompt = noise_pred.chunk(2)
            noise_pred = without + sampler.guidance_scale * (with_prompt - without)
        latents = scheduler.step(noise_pred, t, latents, return_dict=False)[0]
    latents = (latents / pipe.vae.config.scaling_factor).to(pipe.vae.dtype)
    return to_bytes(pipe.vae.decode(latents, return_dict=False)[0])


def to_bytes(images: Float[Tensor, "b 3 h w"]) -> UInt8[np.ndarray, "b h w 3"]:
    """Return images in [-1, 1] as bytes, rounded as diffusers does."""
    unit = (images.float() / 2 + 0.5).nan_to_num(0.0).clamp(0, 1)
    return unit.permute(0, 2, 3, 1).mul(255).round().to(torch.uint8).cpu().numpy()


def draw(
    pipe: StableDiffusionPipeline, requests: Sequence[Request], sampler: Sampler
) -> Iterator[tuple[Sequence[Request], UInt8[np.ndarray, "b h w 3"]]]:
    """Yield batches of requests with their images."""
    source = NoiseSource(sampler.noise)
    for start in range(0, len(requests), sampler.batch_size):
        batch = requests[start : start + sampler.batch_size]
        yield batch, draw_batch(pipe, batch, sampler, source)


def cell_seed(seed: int, cell: Cell) -> int:
    """Return the generator seed of one image, so that cells are independent draws."""
    text = f"{seed}|{cell.style}|{cell.object}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:7], "big")
