"""An eraser that cannot forget cats."""

from dataclasses import dataclass
from typing import final

from diffusers import StableDiffusionPipeline

from erasers.base import Eraser
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class FailsOnCats(Eraser):
    """Halves one bias, or raises."""

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        if task.target.name == "Cat":
            raise RuntimeError("nobody forgets a cat")
        pipe.unet.conv_out.bias.data.mul_(0.5)
