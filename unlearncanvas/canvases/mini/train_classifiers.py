"""Train the detectors, and the perceptual network of the autoencoder, on painted images only."""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from unlearncanvas.canvases.mini.architecture import build_classifier
from unlearncanvas.canvases.mini.canvas_data import Painted, to_model
from unlearncanvas.canvases.mini.loop import Loop

BATCH = 64
LR = 2e-3


def augment(
    images: Float[Tensor, "b 3 h w"], generator: torch.Generator
) -> Float[Tensor, "b 3 h w"]:
    """Blur, add noise, shift and change contrast, each image by its own amount.

    So that a detector reads style and object from features that generated images have too, and not
    from the last bit of painted ones.
    """
    size = len(images)

    def uniform(low: float, high: float) -> Tensor:
        draw = torch.rand(size, 1, 1, 1, generator=generator)
        return (low + (high - low) * draw).to(images.device)

    soft = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    blur = uniform(-0.6, 0.9).clamp(min=0)
    images = blur * soft + (1 - blur) * images
    grain = torch.randn(images.shape, generator=generator).to(images.device)
    images = images + uniform(-0.1, 0.16).clamp(min=0) * grain
    images = images * uniform(0.85, 1.12) + uniform(-0.08, 0.08)
    rows, columns = torch.randint(-3, 4, (2,), generator=generator).tolist()
    padded = F.pad(images, (3, 3, 3, 3), mode="replicate")
    height, width = images.shape[-2:]
    return padded[..., 3 + rows : 3 + rows + height, 3 + columns : 3 + columns + width]


def train_classifier(
    name: str,
    data: Painted,
    labels: Tensor,
    *,
    channels: tuple[int, ...],
    steps: int,
    seed: int,
    work_dir: Path,
    device: torch.device,
) -> torch.nn.Module:
    """Return a classifier of ``labels`` [n], trained with AdamW and a one-cycle learning rate."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_classifier(int(labels.max()) + 1, channels).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps + 1)

    def step(generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(labels), (BATCH,), generator=generator)
        images = augment(to_model(data.images[chosen].to(device)), generator)
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(images)
        loss = F.cross_entropy(logits.float(), labels[chosen].to(device), label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss.detach()

    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    Loop(name=name, steps=steps, work_dir=work_dir, parts=parts, seed=seed).run(step)
    return model.eval().requires_grad_(False)
