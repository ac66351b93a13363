"""Training inside a pipeline that must be left as it was found."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Parameter


@contextmanager
def trainable(
    model: torch.nn.Module, parameters: dict[str, Parameter]
) -> Iterator[list[Parameter]]:
    """Let only these parameters require gradients; afterwards restore flags and drop gradients."""
    before = {name: weight.requires_grad for name, weight in model.named_parameters()}
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in parameters)
    try:
        yield list(parameters.values())
    finally:
        for name, weight in model.named_parameters():
            weight.requires_grad_(before[name])
            weight.grad = None


def descend(
    loss: Float[Tensor, ""],
    optimizer: torch.optim.Optimizer,
    *,
    masks: Sequence[Tensor] | None = None,
) -> None:
    """Take one optimiser step down the loss; ``masks`` multiply the gradients."""
    parameters = optimizer.param_groups[0]["params"]
    follow(gradients(loss, parameters), optimizer, masks=masks)


def follow(
    direction: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    masks: Sequence[Tensor] | None = None,
) -> None:
    """Take one optimiser step along gradients that are given, one for each of its parameters."""
    parameters = optimizer.param_groups[0]["params"]
    for row, (weight, grad) in enumerate(zip(parameters, direction, strict=True)):
        weight.grad = grad if masks is None else grad * masks[row]
    optimizer.step()


def gradients(loss: Float[Tensor, ""], parameters: Sequence[Parameter]) -> list[Tensor]:
    """Return the gradient of the loss for each parameter; zeros where it does not reach."""
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [
        torch.zeros_like(weight) if grad is None else grad
        for weight, grad in zip(parameters, found, strict=True)
    ]


def inner_product(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """Return the inner product of two gradients, summed over all tensors."""
    return sum(float((a.double() * b.double()).sum()) for a, b in zip(left, right, strict=True))
