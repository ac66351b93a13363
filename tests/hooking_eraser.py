"""Erasers that leave a hook, as plugins may: inside the UNet, or one that calls a UNet itself."""

import copy
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


@final
@dataclass(frozen=True, kw_only=True)
class Consulting(Eraser):
    """Asks a copy of the UNet, and itself on half of the batch, before every step."""

    leaves: ClassVar[Literal["weights", "adapter", "hook"]] = "hook"

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Put the hook on."""
        frozen, inside = copy.deepcopy(pipe.unet), []

        def consult(unet, args, kwargs):
            if inside:
                return
            inside.append(True)
            sample, t, text = args[0], args[1], kwargs["encoder_hidden_states"]
            frozen(sample, t, encoder_hidden_states=text)
            half = len(sample) // 2
            unet(sample[:half], t, encoder_hidden_states=text[:half])
            inside.pop()

        pipe.unet.register_forward_pre_hook(consult, with_kwargs=True)

    def restore(
        self, pipe: StableDiffusionPipeline, task: Task, tensors: Mapping[str, Tensor]
    ) -> None:
        """Put it on again."""
        self.erase(pipe, task)
