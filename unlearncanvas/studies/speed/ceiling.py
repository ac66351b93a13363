"""Utilization: the UNet's operations per second against those of a large matrix product."""

import time

import torch
from diffusers import StableDiffusionPipeline
from torch.utils.flop_counter import FlopCounterMode

SIZE = {"cpu": 2048, "cuda": 8192}
"""Side of the square matrices."""
ROUNDS = 5


def wait(device: torch.device) -> None:
    """Wait until the device is idle."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@torch.no_grad()
def matmul_ceiling(device: torch.device, dtype: torch.dtype) -> float:
    """Return the best rate of a large matrix product in floating-point operations a second."""
    side = SIZE.get(device.type, SIZE["cpu"])
    one, two = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    for _ in range(ROUNDS):
        wait(device)
        start = time.perf_counter()
        one @ two
        wait(device)
        best = max(best, 2 * side**3 / (time.perf_counter() - start))
    return best


@torch.no_grad()
def unet_operations(pipe: StableDiffusionPipeline, height: int, width: int) -> int:
    """Return the operations of one sample's pass: products, convolutions, attention."""
    scale, unet = pipe.vae_scale_factor, pipe.unet
    text_shape = (1, pipe.tokenizer.model_max_length, unet.config.cross_attention_dim)
    given = {"device": unet.device, "dtype": unet.dtype}
    latents = torch.zeros(1, unet.config.in_channels, height // scale, width // scale, **given)
    with FlopCounterMode(display=False) as counter:
        unet(latents, torch.tensor([1], device=unet.device), torch.zeros(text_shape, **given))
    return int(counter.get_total_flops())
