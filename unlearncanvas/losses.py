"""Watch the losses of an eraser while it trains, whoever wrote it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

EVERY = 10
"""Losses from one that is read to the next; reading waits for the device."""


@contextmanager
def watch_losses(tell: Callable[[int, float], None], every: int = EVERY) -> Iterator[None]:
    """Tell number and value of every ``every``-th scalar that gradients are taken of.

    Both ways are watched, ``torch.autograd.grad`` and ``Tensor.backward``; nothing else changes.
    """
    count = 0
    own_grad, own_backward = torch.autograd.grad, Tensor.backward

    def see(loss: Any) -> None:
        nonlocal count
        one = loss[0] if isinstance(loss, Sequence) and len(loss) == 1 else loss
        if isinstance(one, Tensor) and one.ndim == 0:
            if count % every == 0:
                tell(count, float(one.detach()))
            count += 1

    def grad(outputs: Any, *args: Any, **kwargs: Any) -> Any:
        see(outputs)
        return own_grad(outputs, *args, **kwargs)

    def backward(self: Tensor, *args: Any, **kwargs: Any) -> None:
        see(self)
        own_backward(self, *args, **kwargs)  # type: ignore[no-untyped-call]

    torch.autograd.grad, Tensor.backward = grad, backward  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.autograd.grad, Tensor.backward = own_grad, own_backward  # type: ignore[method-assign]
