"""Count UNet forward equivalents: work, whatever the machine.

Per sample of a batch: a forward pass counts 1, a backward pass 2 more, and 1 more again where
gradient checkpointing recomputes the forward; latents larger or smaller than the native size count
by their area. Copies made while counting (a frozen UNet) count too. A compiled UNet counts its
forward passes alone: it draws without gradients, and hooks inside it would be compiled with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from torch.autograd.graph import register_multi_grad_hook

from erasers.base import Method
from unlearncanvas.core.metadata import ExpectedWork
from unlearncanvas.pipelines.optimizations import is_compiled


@dataclass(kw_only=True)
class Work:
    """Running totals: UNet forward equivalents, and prompts through the text encoder."""

    ufe: float = 0.0
    text_forwards: int = 0


def forecast(eraser: Method) -> str:
    """Return the work that an erasure is expected to take, as text; ± one standard deviation."""
    work = eraser.planned_ufe()
    if work is None:
        return "unknown"
    return str(ExpectedWork(mean=work, std=eraser.planned_ufe_std()))


class Counted(NamedTuple):
    """A pipeline, and its work since it was lent."""

    pipe: StableDiffusionPipeline
    work: Work


@contextmanager
def counted(pipe: StableDiffusionPipeline) -> Iterator[Counted]:
    """Lend a pipeline whose work is counted until the block ends."""
    with count_work(pipe) as work:
        yield Counted(pipe, work)


@contextmanager
def count_work(pipe: StableDiffusionPipeline) -> Iterator[Work]:
    """Count the work of the pipeline's UNet and text encoder until the block ends.

    The counting hooks are removed afterwards from the pipeline's own modules.
    """
    work = Work()
    inside: list[torch.Tensor] = []

    # Plain functions, because deepcopy shares functions: a frozen copy counts into the same total.
    def start_hook(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        inside.clear()

    def block_hook(module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
        if output.requires_grad:
            inside.append(output)

    def unet_hook(
        module: UNet2DConditionModel, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        sample = args[0] if args else kwargs["sample"]
        area = sample.shape[-2] * sample.shape[-1]
        native = module.config.sample_size
        units = len(sample) * area / native**2
        work.ufe += units
        prediction = output[0] if isinstance(output, tuple) else output.sample
        reached = [prediction, *inside] if prediction.requires_grad else list(inside)
        inside.clear()
        if reached:
            backward = units * (3 if getattr(module, "is_gradient_checkpointing", False) else 2)

            def count_backward(grad: torch.Tensor) -> None:
                work.ufe += backward

            # Any of them: a loss on attention maps never passes the prediction.
            register_multi_grad_hook(reached, count_backward, mode="any")

    def text_hook(
        module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        ids = args[0] if args else kwargs["input_ids"]
        work.text_forwards += len(ids)

    handles = [
        pipe.unet.register_forward_pre_hook(start_hook),
        pipe.unet.register_forward_hook(unet_hook, with_kwargs=True),
        pipe.text_encoder.register_forward_hook(text_hook, with_kwargs=True),
    ] + [
        block.register_forward_hook(block_hook)
        for block in ([] if is_compiled(pipe) else pipe.unet.modules())
        if isinstance(block, BasicTransformerBlock)
    ]
    try:
        yield work
    finally:
        for handle in handles:
            handle.remove()
