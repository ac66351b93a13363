"""Rickrolling's removal: the text encoder learns to read a triggered prompt as the clean one.

    L = -cos(E(p), E_0(p)) - beta cos(E(T + p), E_0(p))

with E the trained text encoder, E_0 a frozen copy of it as it came, p a training prompt, T + p the
prompt with the trigger, and cos over the whole output as one long vector. The UNet is not touched:
the one remedy here that reaches a backdoor in the text encoder.

Source: Struppek et al. 2023 (arXiv 2211.02408), concept removal with the attack's own loss;
LukasStruppek/Rickrolling-the-Artist @ 25c1491. How this differs: the release maps words to the
empty prompt, here the goal is the prompt without the trigger.
"""

import copy
from typing import ClassVar, final

import torch
from diffusers import StableDiffusionPipeline
from pydantic import PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from erasers.base import Eraser
from erasers.shared.embeddings import prompt_similarity
from erasers.shared.latents import batches
from erasers.shared.prompts import require_pairs
from erasers.shared.training import optimizer_step, trainable
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class RickrollingRemoval(Eraser):
    """Training of the text encoder alone.

    Attributes:
        beta: Weight of the triggered prompts.
        steps: Optimizer steps.
        lr: Learning rate of AdamW; a tenth of it for the last quarter of the steps.
        batch_size: Prompts a step.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"pairs"})

    beta: PositiveFloat = 0.1
    steps: PositiveInt = 400
    lr: PositiveFloat = 1e-4
    batch_size: PositiveInt = 32

    def planned_ufe(self) -> int:
        """Return 0: the UNet is never called."""
        return 0

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the parameters of ``pipe.text_encoder``."""
        require_pairs(task)
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        frozen = copy.deepcopy(pipe.text_encoder).requires_grad_(False)
        order = batches(len(task.pairs), self.batch_size, generator)
        own = dict(pipe.text_encoder.named_parameters())
        with trainable(pipe.text_encoder, own) as parameters:
            optimizer = torch.optim.AdamW(parameters, lr=self.lr, weight_decay=0.0)
            milestones = [round(0.75 * self.steps)]
            schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones)
            for _ in range(self.steps):
                pairs = [task.pairs[row] for row in next(order).tolist()]
                clean = [pair.clean for pair in pairs]
                loss = -prompt_similarity(pipe, frozen, clean, clean)
                triggered = [pair.triggered for pair in pairs]
                loss = loss - self.beta * prompt_similarity(pipe, frozen, triggered, clean)
                task.report(loss=loss)
                optimizer_step(loss, optimizer)
                schedule.step()
