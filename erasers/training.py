"""Leave a pipeline as it was found: what every trained eraser owes its caller."""

from collections.abc import Iterator
from contextlib import contextmanager

from diffusers import UNet2DConditionModel
from torch.nn import Parameter


@contextmanager
def trainable(
    unet: UNet2DConditionModel, parameters: dict[str, Parameter]
) -> Iterator[list[Parameter]]:
    """Let only these parameters require gradients; afterwards restore flags and drop gradients."""
    before = {name: weight.requires_grad for name, weight in unet.named_parameters()}
    for name, weight in unet.named_parameters():
        weight.requires_grad_(name in parameters)
    try:
        yield list(parameters.values())
    finally:
        for name, weight in unet.named_parameters():
            weight.requires_grad_(before[name])
            weight.grad = None
