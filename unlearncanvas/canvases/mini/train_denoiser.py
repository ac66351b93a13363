"""Train the denoiser and its text encoder on the latents of the painted images.

    loss = min(SNR_t, 5) / SNR_t * |eps - UNet(x_t, t, text)|^2

Source of the weighting: Hang et al. 2023 (arXiv 2303.09556), equation 8, noise prediction.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor
from diffusers.training_utils import compute_snr
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from unlearncanvas.canvases.mini.architecture import (
    assemble,
    build_scheduler,
    build_text_encoder,
    build_tokenizer,
    build_unet,
)
from unlearncanvas.canvases.mini.canvas_data import Painted
from unlearncanvas.canvases.mini.loop import Loop, optimizer_step
from unlearncanvas.canvases.mini.objects import OBJECTS
from unlearncanvas.canvases.mini.painter import caption
from unlearncanvas.canvases.mini.styles import STYLES
from unlearncanvas.canvases.mini.train_autoencoder import encode

BATCH = 32
LR = 1e-3
SNR_GAMMA = 5.0
OBJECT_ONLY, STYLE_ONLY, EMPTY = 0.07, 0.07, 0.10
"""Shares of captions that leave something out, so that single concepts mean something alone."""


def caption_ids(styles: Tensor, objects: Tensor, generator: torch.Generator) -> Tensor:
    """Return, per image, the row of :func:`caption_table` of a caption drawn at random, [b]."""
    draw = torch.rand(len(styles), generator=generator)
    style = styles.masked_fill(draw < OBJECT_ONLY + EMPTY, len(STYLES))
    without_object = (draw < EMPTY) | (draw >= 1 - STYLE_ONLY)
    obj = objects.masked_fill(without_object, len(OBJECTS))
    return style * (len(OBJECTS) + 1) + obj


def caption_table() -> list[str]:
    """Return all captions: style (or none) by object (or none), none last."""
    return [caption(style, obj) for style in (*STYLES, None) for obj in (*OBJECTS, None)]


def train_denoiser(
    data: Painted, vae: AutoencoderKL, *, steps: int, work_dir: Path, device: torch.device
) -> StableDiffusionPipeline:
    """Return the whole pipeline, with the averaged denoiser and text encoder."""
    latents = encode(vae, data.images, device) * vae.config.scaling_factor  # [n, 4, 16, 16]
    tokenizer, scheduler = build_tokenizer(), build_scheduler()
    ids = tokenizer(caption_table(), padding="max_length", return_tensors="pt").input_ids
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: Any = torch.nn.ModuleDict(
            {"unet": build_unet(), "text_encoder": build_text_encoder(tokenizer)}
        ).to(device)
    # The fused attention's backward pass is the slower one on a CPU.
    model["unet"].set_attn_processor(AttnProcessor())
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.998))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.99), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda index: min(1.0, (index + 1) / 100) * max(0.02, 1 - index / steps)
    )
    num_timesteps = scheduler.config.num_train_timesteps

    def step(generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(latents), (BATCH,), generator=generator)
        rows = caption_ids(data.styles[chosen], data.objects[chosen], generator)
        strata = (torch.arange(BATCH) + torch.rand(BATCH, generator=generator)) / BATCH
        t = (strata * num_timesteps).long()
        x_0 = latents[chosen]
        noise = torch.randn(x_0.shape, generator=generator)
        x_t = scheduler.add_noise(x_0, noise, t).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            text = model["text_encoder"](ids[rows].to(device)).last_hidden_state
            noise_pred = model["unet"](x_t, t.to(device), text).sample
        snr = compute_snr(scheduler, t)
        weight = (snr.clamp(max=SNR_GAMMA) / snr).to(device)
        error = (noise_pred.float() - noise.to(device)).square().mean(dim=(1, 2, 3))
        loss = (weight * error).mean()
        return optimizer_step(loss, model, optimizer=optimizer, schedule=schedule, average=average)

    parts = {"model": model, "average": average, "optimizer": optimizer, "schedule": schedule}
    Loop(name="denoiser", steps=steps, work_dir=work_dir, parts=parts).run(step)
    trained: Any = average.module.eval().requires_grad_(False)
    return assemble(
        vae=vae,
        text_encoder=trained["text_encoder"],
        tokenizer=tokenizer,
        unet=trained["unet"],
    )
