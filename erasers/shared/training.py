"""Train a subset of a pipeline's parameters, and leave the pipeline's flags as they were."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from diffusers import UNet2DConditionModel
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


def optimizer_step(
    loss: Float[Tensor, ""],
    optimizer: torch.optim.Optimizer,
    *,
    masks: Sequence[Tensor] | None = None,
) -> None:
    """Take one optimizer step down the loss; ``masks`` multiply the gradients."""
    parameters = optimizer.param_groups[0]["params"]
    apply_gradients(gradients(loss, parameters), optimizer, masks=masks)


def apply_gradients(
    direction: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    masks: Sequence[Tensor] | None = None,
) -> None:
    """Take one optimizer step along gradients that are given, one for each of its parameters."""
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


ParameterGroup = Literal["x", "u", "x-strict", "full"]

PATTERNS: dict[str, str] = {
    "x": r"\.attn2\.to_(q|k|v|out\.0)\.",
    "x-strict": r"\.attn2\.to_(k|v)\.",
    "u": r"^(?!.*attn2)(?!time_embedding)(?!conv_out|conv_norm_out)",
    "full": r"",
}
"""x: cross-attention. x-strict: its keys and values. u: everything else but the time embedding and
the output layer (the set of the 2023 release, ``noxattn``). full: all."""


def parameter_group(unet: UNet2DConditionModel, group: ParameterGroup) -> dict[str, Parameter]:
    """Return the parameters of a group by name.

    Raises:
        ValueError: If the UNet has none of them.
    """
    pattern = re.compile(PATTERNS[group])
    chosen = {name: weight for name, weight in unet.named_parameters() if pattern.search(name)}
    if not chosen:
        raise ValueError(f"the UNet has no parameters of the group {group!r}")
    return chosen


def top_fraction(scores: Sequence[Tensor], share: float) -> list[Tensor]:
    """Return masks that are True for the ``share`` of all entries with the greatest scores.

    Ranked over all tensors together; ties at the threshold are all in. Saliency |g| is SalUn's (Fan
    et al. 2024, arXiv 2310.12508); connection sensitivity |g w| is SNIP's (Lee et al. 2019, arXiv
    1810.02340), which Scissorhands uses.

    Args:
        scores: One tensor of scores, >= 0, for each parameter.
        share: In (0, 1].
    """
    flat = torch.cat([score.flatten() for score in scores])
    count = max(1, round(share * len(flat)))
    threshold = flat.kthvalue(len(flat) - count + 1).values
    return [score >= threshold for score in scores]
