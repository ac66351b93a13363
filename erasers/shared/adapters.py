"""Low-rank adapters beside linear layers and convolutions, with a gate for every row of a batch.

    y = W x + gate * up (down x)

The adapter is a submodule of the layer it belongs to, so that it is saved, moved and cast with the
model; ``up`` starts at zero, which makes a new adapter the identity.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast, final

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


@final
class Gate:
    """Scale of the adapters' output for each row of a batch, in [0, 1].

    Attributes:
        rows: One value a prompt, [b]; a guided batch repeats them.
    """

    def __init__(self) -> None:
        self.rows: Float[Tensor, " b"] = torch.ones(1)

    def broadcast_to(self, output: Tensor) -> Tensor:
        """Return the values in the shape of a layer's output."""
        rows = self.rows.to(output.device, output.dtype)
        if len(rows) not in (1, len(output)):
            rows = rows.repeat(len(output) // len(rows))
        return rows.view(-1, *[1] * (output.ndim - 1))

    @contextmanager
    def fixed(self, value: float) -> Iterator[None]:
        """Use one value for all rows until the block ends."""
        before, self.rows = self.rows, torch.tensor([value])
        try:
            yield
        finally:
            self.rows = before


@final
class LowRank(nn.Module):
    """The two factors beside one layer, and the gate that scales their output."""

    def __init__(self, layer: nn.Linear | nn.Conv2d, rank: int, gate: Gate) -> None:
        """Create both factors as zeros, on the layer's device and in its dtype."""
        super().__init__()
        self.gate = gate
        weight = layer.weight
        narrow = (1,) * (weight.ndim - 2)
        self.down = nn.Parameter(weight.new_zeros(rank, *weight.shape[1:]), requires_grad=False)
        self.up = nn.Parameter(weight.new_zeros(len(weight), rank, *narrow), requires_grad=False)
        self._layer_is_conv = isinstance(layer, nn.Conv2d)
        self._stride = layer.stride if isinstance(layer, nn.Conv2d) else 1
        self._padding = layer.padding if isinstance(layer, nn.Conv2d) else 0

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """Sample ``down`` uniformly, as torch initializes a layer; ``up`` stays zero."""
        bound = self.down[0].numel() ** -0.5
        drawn = torch.rand(self.down.shape, generator=generator, device=generator.device)
        self.down.copy_((2 * drawn - 1) * bound)

    def forward(self, x: Tensor) -> Tensor:
        """Return up (down x)."""
        if not self._layer_is_conv:
            return functional.linear(functional.linear(x, self.down), self.up)
        narrow = functional.conv2d(x, self.down, stride=self._stride, padding=self._padding)
        return functional.conv2d(narrow, self.up)


def add_adapters(
    unet: UNet2DConditionModel, name: str, *, rank: int, gate: Gate
) -> dict[str, LowRank]:
    """Add an adapter to every linear layer and convolution of the transformer blocks.

    Returns:
        The new modules by their names in the UNet.
    """
    layers = {
        f"{outer}.{inner}": layer
        for outer, block in unet.named_modules()
        if isinstance(block, Transformer2DModel)
        for inner, layer in block.named_modules()
        if isinstance(layer, (nn.Linear, nn.Conv2d))
    }
    adapters = {}
    for path, layer in layers.items():
        adapters[f"{path}.{name}"] = adapter = LowRank(layer, rank, gate)
        layer.add_module(name, adapter)
        layer.register_forward_hook(partial(_add, name=name))
    return adapters


def _add(layer: nn.Module, args: tuple[Any, ...], output: Tensor, *, name: str) -> Tensor:
    """Add the adapter's output to the layer's; where all gates are 0, return the layer's."""
    adapter = cast(LowRank, layer.get_submodule(name))
    if not adapter.gate.rows.any():
        return output
    return output + adapter.gate.broadcast_to(output) * adapter(args[0])
