"""An eraser that leaves a hook inside the UNet, as a plugin may."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from diffusers import StableDiffusionPipeline
from torch import Tensor

from erasers.base import Eraser
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class Hooking(Eraser):
    """Triples what the middle of the UNet gives."""

    leaves: ClassVar[Literal["weights", "adapter", "hook"]] = "hook"

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Put the hook on."""
        pipe.unet.mid_block.register_forward_hook(lambda module, args, output: 3 * output)

    def restore(
        self, pipe: StableDiffusionPipeline, task: Task, tensors: Mapping[str, Tensor]
    ) -> None:
        """Put it on again."""
        self.erase(pipe, task)
