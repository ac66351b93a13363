"""Losses that an eraser reports while it trains, as curves."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

EVERY = 10
"""Losses from one that is read to the next; reading waits for the device."""


@final
@dataclass(frozen=True, kw_only=True)
class LossCurves:
    """The ``report`` of one erasure's task: one curve a name.

    Attributes:
        on_loss: Called with name, step and value of every ``every``-th loss of a name.
        every: Steps between two values that are read.
    """

    on_loss: Callable[[str, int, float], None]
    every: int = EVERY
    _steps: Counter[str] = field(default_factory=Counter, init=False)

    def __call__(self, **losses: Tensor | float) -> None:
        """Take the losses of one step."""
        for name, loss in losses.items():
            if self._steps[name] % self.every == 0:
                self.on_loss(name, self._steps[name], float(torch.as_tensor(loss).detach()))
            self._steps[name] += 1
