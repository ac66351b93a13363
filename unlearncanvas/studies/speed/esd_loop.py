"""A plain ESD loop, one UNet call a prediction: the reference of our step's speed."""

import copy

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from torch.nn.functional import mse_loss

from erasers.esd import ESD


def plain_esd(pipe: StableDiffusionPipeline, eraser: ESD, prompt: str, seed: int) -> None:
    """Do what ``eraser`` does, on one concept, with the same draws; edits ``pipe.unet``."""
    generator = torch.Generator(pipe.device).manual_seed(seed)
    frozen = copy.deepcopy(pipe.unet).requires_grad_(False)
    trained = [weight for name, weight in pipe.unet.named_parameters() if ".attn2." in name]
    optimizer = torch.optim.Adam([weight.requires_grad_(True) for weight in trained], lr=eraser.lr)
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    scheduler.set_timesteps(eraser.num_inference_steps, device=pipe.device)
    side, channels = pipe.unet.config.sample_size, pipe.unet.config.in_channels
    for _ in range(eraser.steps):
        concept, empty = (_embedded(pipe, text, eraser.batch_size) for text in (prompt, ""))
        index = int(
            torch.randint(eraser.num_inference_steps, (), generator=generator, device=pipe.device)
        )
        shape = (eraser.batch_size, channels, side, side)
        latents = torch.randn(shape, generator=generator, device=pipe.device)
        with torch.no_grad():
            for t in scheduler.timesteps[:index]:
                without = pipe.unet(latents, t, empty).sample
                towards = pipe.unet(latents, t, concept).sample - without
                noise = without + eraser.guidance_scale * towards
                latents = scheduler.step(noise, t, latents).prev_sample
            t = scheduler.timesteps[index]
            eps_0 = frozen(latents, t, empty).sample
            goal = eps_0 - eraser.eta * (frozen(latents, t, concept).sample - eps_0)
        optimizer.zero_grad()
        mse_loss(pipe.unet(latents, t, concept).sample, goal).backward()
        optimizer.step()
    for weight in trained:
        weight.requires_grad_(False)


@torch.no_grad()
def _embedded(pipe: StableDiffusionPipeline, text: str, count: int) -> torch.Tensor:
    tokens = pipe.tokenizer(
        [text] * count,
        padding="max_length",
        max_length=pipe.tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    return pipe.text_encoder(tokens.input_ids.to(pipe.device))[0]
