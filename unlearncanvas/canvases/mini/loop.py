"""A resumable training loop: seeded per step, checkpointed every two minutes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch.optim.swa_utils import AveragedModel

from unlearncanvas.canvases.mini.progress import progress_bar
from unlearncanvas.core.digests import digest_json
from unlearncanvas.core.files import replacing

CHECKPOINT_EVERY_S = 120.0
RECIPE = 2
"""To be raised when captions, losses or rates change: no training goes on with another's steps."""


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A training run and its checkpoint.

    Attributes:
        name: Shown on the bar; also the file name.
        steps: Optimizer steps in all.
        work_dir: Folder of the checkpoints.
        parts: Objects with a ``state_dict`` that a resumed run needs.
        identity: What else the run depends on, as plain data: only its own checkpoint is resumed.
        seed: With the number of the step, seeds the generator of that step.
    """

    name: str
    steps: int
    work_dir: Path
    parts: dict[str, Any]
    identity: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.work_dir / f"{self.name}.pt"

    def run(self, step: Callable[[torch.Generator], torch.Tensor]) -> None:
        """Call ``step`` until the steps are done; it returns the loss, a scalar.

        Raises:
            ValueError: If the checkpoint is of another training.
        """
        first = self._load()
        console = Console(emoji=False)
        with progress_bar(console) as progress:
            task = progress.add_task(self.name, total=self.steps, completed=first)
            saved = time.monotonic()
            for index in range(first, self.steps):
                generator = torch.Generator().manual_seed(1_000_003 * self.seed + index)
                loss = step(generator)
                progress.advance(task)
                if index % 100 == 99:
                    console.print(f"{self.name} {index + 1}/{self.steps} loss {loss.item():.4f}")
                if time.monotonic() - saved > CHECKPOINT_EVERY_S:
                    self._save(index + 1)
                    saved = time.monotonic()
        self._save(self.steps)

    def _load(self) -> int:
        if not self.path.exists():
            return 0
        state = torch.load(self.path, weights_only=True)
        if state.get("digest") != self._digest:
            raise ValueError(
                f"{self.path} is of another training (seed, steps, language, recipe, autoencoder); "
                "remove it, or name another --work-dir"
            )
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return state["step"]

    def _save(self, step: int) -> None:
        self.work_dir.mkdir(parents=True, exist_ok=True)
        state = {name: part.state_dict() for name, part in self.parts.items()}
        with replacing(self.path) as partial:
            torch.save({"step": step, "digest": self._digest, **state}, partial)

    @property
    def _digest(self) -> str:
        return digest_json([RECIPE, self.steps, self.seed, self.identity])


def rng_of(generator: torch.Generator) -> np.random.Generator:
    """Return the numpy generator of a training step, seeded by that of torch."""
    return np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))


def decaying(
    optimizer: torch.optim.Optimizer, steps: int, *, least: float
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return a schedule of 100 steps of warm-up and a linear decay to the ``least`` share."""
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda index: min(1.0, (index + 1) / 100) * max(least, 1 - index / steps)
    )


def optimizer_step(
    loss: torch.Tensor,
    model: torch.nn.Module,
    *,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    average: AveragedModel,
) -> torch.Tensor:
    """Take one step down the loss with clipped gradients, update the average, return the loss."""
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    average.update_parameters(model)
    return loss.detach()
