"""Train the autoencoder: pixels, pixel differences, and a perceptual term.

    loss = |x - y| + |dx - dy| + 0.5 * mean over stages |phi(x) - phi(y)| + 1e-6 KL

where y is the reconstruction, d the differences of neighboring pixels, and phi the unit-normalized
stages of a small classifier of the 144 cells that is not one of the detectors.
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from unlearncanvas.canvases.mini.architecture import build_autoencoder
from unlearncanvas.canvases.mini.canvas_data import Painted, to_model
from unlearncanvas.canvases.mini.loop import Loop, decaying, optimizer_step

BATCH = 16
LR = 2e-3
PERCEPTUAL_WEIGHT = 0.5
KL_WEIGHT = 1e-6


def stages(network: Any, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
    """Return the unit-normalized features after the stem and after each of two residual stages."""
    features = []
    hidden = network.act1(network.bn1(network.conv1(images)))
    features.append(hidden)
    hidden = network.layer1(network.maxpool(hidden))
    features.append(hidden)
    features.append(network.layer2(hidden))
    return [F.normalize(feature, dim=1) * feature.shape[1] ** 0.5 for feature in features]


def differences(images: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor]:
    """Return the differences of neighboring pixels, across and down."""
    return images[..., 1:] - images[..., :-1], images[..., 1:, :] - images[..., :-1, :]


def train_autoencoder(
    data: Painted, critic: torch.nn.Module, *, steps: int, work_dir: Path, device: torch.device
) -> AutoencoderKL:
    """Return the trained autoencoder (an average of its last weights), with its scaling factor."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_autoencoder().to(device)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.998))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.99), weight_decay=0.0)
    schedule = decaying(optimizer, steps, least=0.01)

    def step(generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(data.images), (BATCH,), generator=generator)
        images = to_model(data.images[chosen].to(device))
        with torch.autocast(device.type, torch.bfloat16):
            posterior = model.encode(images).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=generator).to(device)
            decoded = model.decode(posterior.mean + posterior.std * noise).sample
            with torch.no_grad():
                wanted = stages(critic, images)
            seen = stages(critic, decoded)
        decoded = decoded.float()
        loss = (decoded - images).abs().mean() + KL_WEIGHT * posterior.kl().mean()
        for real, fake in zip(differences(images), differences(decoded), strict=True):
            loss = loss + (real - fake).abs().mean()
        for real, fake in zip(wanted, seen, strict=True):
            loss = loss + PERCEPTUAL_WEIGHT / len(seen) * (real - fake).float().abs().mean()
        return optimizer_step(loss, model, optimizer=optimizer, schedule=schedule, average=average)

    parts = {"model": model, "average": average, "optimizer": optimizer, "schedule": schedule}
    Loop(name="autoencoder", steps=steps, work_dir=work_dir, parts=parts).run(step)
    trained: AutoencoderKL = average.module.eval().requires_grad_(False)
    spread = encode(trained, data.images[:: max(1, len(data.images) // 2000)], device).std()
    trained.register_to_config(scaling_factor=round(1 / spread.item(), 4))
    return trained


@torch.no_grad()
def encode(model: AutoencoderKL, images: Tensor, device: torch.device) -> Tensor:
    """Return the latent means of uint8 images, unscaled, float32 on the CPU."""
    batches = []
    for batch in images.split(200):
        with torch.autocast(device.type, torch.bfloat16):
            batches.append(model.encode(to_model(batch.to(device))).latent_dist.mean.float().cpu())
    return torch.cat(batches)
