"""Train the denoiser and its text encoder on the latents of the painted images.

    loss = min(SNR_t, 5) / SNR_t / sqrt(min(max(SNR_t, 0.01), 1)) * |eps - UNet(x_t, t, text)|^2

Sources of the weighting: at little noise Hang et al. 2023 (arXiv 2303.09556), equation 8, noise
prediction; at much noise, where the style is settled, Yu et al. 2023 (arXiv 2310.08442), here with
a limit.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor
from diffusers.training_utils import compute_snr
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from unlearncanvas.canvases.language import Language
from unlearncanvas.canvases.mini.architecture import (
    assemble,
    build_scheduler,
    build_tokenizer,
    build_unet,
)
from unlearncanvas.canvases.mini.canvas_data import Painted
from unlearncanvas.canvases.mini.captions import Captions
from unlearncanvas.canvases.mini.loop import Loop, decaying, optimizer_step, rng_of
from unlearncanvas.canvases.mini.objects import OBJECTS
from unlearncanvas.canvases.mini.styles import STYLES
from unlearncanvas.canvases.mini.train_autoencoder import encode
from unlearncanvas.canvases.mini.train_text_encoder import train_text_encoder
from unlearncanvas.core.digests import digest_tensors

BATCH = 32
LR = 1e-3
TEXT_LR = 3e-4
"""The text encoder knows the captions already."""
SNR_GAMMA, LEAST_SNR = 5.0, 0.01


def train_denoiser(
    data: Painted,
    vae: AutoencoderKL,
    language: Language,
    *,
    text_steps: int,
    steps: int,
    seed: int,
    work_dir: Path,
    device: torch.device,
) -> StableDiffusionPipeline:
    """Return the whole pipeline, with the averaged denoiser and text encoder."""
    tokenizer, scheduler = build_tokenizer(language), build_scheduler()
    text_encoder = train_text_encoder(
        language, tokenizer, steps=text_steps, seed=seed, work_dir=work_dir, device=device
    )
    latents = encode(vae, data.images, device) * vae.config.scaling_factor  # [n, 4, 16, 16]
    styles, objects = list(STYLES), list(OBJECTS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = build_unet()
    model: Any = torch.nn.ModuleDict({"unet": unet, "text_encoder": text_encoder}).to(device)
    # The fused attention's backward pass is the slower one on a CPU.
    model["unet"].set_attn_processor(AttnProcessor())
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.998))
    rates = (("unet", LR), ("text_encoder", TEXT_LR))
    optimizer = torch.optim.AdamW(
        [{"params": model[part].parameters(), "lr": rate} for part, rate in rates],
        betas=(0.9, 0.99),
        weight_decay=0.01,
    )
    schedule = decaying(optimizer, steps, least=0.02)
    num_timesteps = scheduler.config.num_train_timesteps

    def step(generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(latents), (BATCH,), generator=generator)
        captions = Captions(language, rng_of(generator))
        texts = [
            captions.draw(styles[style], objects[obj])
            for style, obj in zip(
                data.styles[chosen].tolist(), data.objects[chosen].tolist(), strict=True
            )
        ]
        ids = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        strata = (torch.arange(BATCH) + torch.rand(BATCH, generator=generator)) / BATCH
        t = (strata * num_timesteps).long()
        x_0 = latents[chosen]
        noise = torch.randn(x_0.shape, generator=generator)
        x_t = scheduler.add_noise(x_0, noise, t).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            text = model["text_encoder"](ids.to(device)).last_hidden_state
            noise_pred = model["unet"](x_t, t.to(device), text).sample
        snr = compute_snr(scheduler, t)
        weight = (snr.clamp(max=SNR_GAMMA) / snr * snr.clamp(LEAST_SNR, 1).rsqrt()).to(device)
        error = (noise_pred.float() - noise.to(device)).square().mean(dim=(1, 2, 3))
        loss = (weight * error).mean()
        return optimizer_step(loss, model, optimizer=optimizer, schedule=schedule, average=average)

    parts = {"model": model, "average": average, "optimizer": optimizer, "schedule": schedule}
    Loop(
        name="denoiser",
        steps=steps,
        work_dir=work_dir,
        parts=parts,
        identity={
            "language": language.plain(),
            "text_steps": text_steps,
            "vae": digest_tensors(vae.state_dict()),
        },
        seed=seed,
    ).run(step)
    trained: Any = average.module.eval().requires_grad_(False)
    return assemble(
        vae=vae,
        text_encoder=trained["text_encoder"],
        tokenizer=tokenizer,
        unet=trained["unet"],
    )
