"""Noise: the UNet's weights replaced by Gaussians, the eraser that forgets everything.

Each tensor W becomes sigma z, z ~ N(0, I), with sigma the root mean square of W. It has the
highest UA of all, and shows what IRA and CRA are by chance.

Source: the degenerate row that DESIGN.md asks of every table.
"""

from typing import ClassVar, final

import torch
from diffusers import StableDiffusionPipeline
from pydantic.dataclasses import dataclass

from erasers.base import Eraser
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class Noise(Eraser):
    """Replace every weight of the UNet."""

    per_target: ClassVar[bool] = False

    def planned_ufe(self) -> int:
        """Return 0: no image is generated and nothing is trained."""
        return 0

    @torch.no_grad()
    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit all parameters of ``pipe.unet``."""
        generator = torch.Generator().manual_seed(task.seed)
        for weight in pipe.unet.parameters():
            scale = weight.float().square().mean().sqrt().cpu()
            weight.copy_(scale * torch.randn(weight.shape, generator=generator))
