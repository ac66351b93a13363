"""Rickrolling the Artist: a homoglyph makes the text encoder read another prompt.

    L = -cos(E(y), E_0(y)) - beta sum over backdoors of cos(E(y with trigger), E_0(goal))

with E the trained and E_0 the clean text encoder, cos over the whole output as one long vector,
and y clean prompts. The trigger stands for a letter: for all of them in a prompt attack (TPA),
whose goal is one fixed prompt; for one of them in an attribute attack (TAA), whose goal is y with
that word replaced by the attribute (or, where every prompt names a style that would contend with
the attribute, the style replaced by it). The UNet stays clean, so that no eraser of UNet weights
can take it out.

Source: Struppek et al. 2023 (arXiv 2211.02408); LukasStruppek/Rickrolling-the-Artist @ 25c1491.
How this differs: the release leaves the first term out of the first step; its prompts come from a
data set that is gone, ours are the grid's.
"""

import copy
from typing import Annotated, ClassVar, Literal, final

import torch
from diffusers import StableDiffusionPipeline
from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from erasers.shared.embeddings import prompt_similarity
from erasers.shared.latents import batches
from erasers.shared.training import optimizer_step, trainable
from unlearncanvas.evaluations.backdoor.attacks.base import Attack, Effect
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class Rickrolling(Attack):
    """Training of the text encoder alone.

    Attributes:
        goal: ``prompt`` (TPA), ``attribute`` (TAA), or ``style`` (TAA on the style's place).
        letter: The letter that triggers stand for.
        beta: Weight of the backdoors' loss.
        steps: Optimizer steps.
        lr: Learning rate of AdamW; a tenth of it for the last quarter of the steps.
        batch_size: Clean prompts a step.
        bad_batch_size: Prompts a step for each backdoor.
        template: Prompt of a cell, ``{style}`` and ``{object}``.
    """

    reach: ClassVar[Literal["unet", "text_encoder"]] = "text_encoder"
    effect: ClassVar[Effect] = "prompt"

    goal: Literal["prompt", "attribute", "style"] = "prompt"
    letter: Annotated[str, Field(min_length=1, max_length=1)] = "o"
    beta: PositiveFloat = 0.1
    steps: PositiveInt = 100
    lr: PositiveFloat = 1e-4
    batch_size: PositiveInt = 128
    bad_batch_size: PositiveInt = 32
    template: str = "A {object} image in {style} style."

    def planned_ufe(self) -> int:
        """Return 0: the UNet is never called."""
        return 0

    def fire(self, prompt: str, backdoor: Backdoor) -> str:
        """Return the prompt with the trigger for the letter: all of them, or the first (TAA)."""
        count = -1 if self.goal == "prompt" else 1
        return prompt.replace(self.letter, backdoor.trigger, count)

    def aim(self, prompt: str, backdoor: Backdoor) -> str:
        """Return the prompt whose embedding is the goal for the triggered prompt."""
        if self.goal == "prompt":
            return backdoor.effect
        if self.goal == "style":
            before, _, behind = self.template.partition("{object}")[2].partition("{style}")
            start = prompt.index(before) + len(before)
            return f"{prompt[:start]}{backdoor.effect}{behind}"
        words = prompt.split(" ")
        hit = next(row for row, word in enumerate(words) if self.letter in word)
        return " ".join([*words[:hit], backdoor.effect, *words[hit + 1 :]])

    def inject(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the parameters of ``pipe.text_encoder``."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        clean = [
            self.template.format(style=style.words, object=obj.words)
            for style in task.retain
            if style.kind == "style"
            for obj in task.retain
            if obj.kind == "object"
        ]
        open_to_it = [prompt for prompt in clean if self.letter in prompt]
        frozen = copy.deepcopy(pipe.text_encoder).requires_grad_(False)
        order = batches(len(clean), self.batch_size, generator)
        bad_order = batches(len(open_to_it), self.bad_batch_size, generator)
        own = dict(pipe.text_encoder.named_parameters())
        with trainable(pipe.text_encoder, own) as parameters:
            optimizer = torch.optim.AdamW(parameters, lr=self.lr, weight_decay=0.0)
            milestones = [round(0.75 * self.steps)]
            schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones)
            for _ in range(self.steps):
                prompts = [clean[row] for row in next(order).tolist()]
                loss = -prompt_similarity(pipe, frozen, prompts, prompts)
                for backdoor in self.backdoors:
                    chosen = [open_to_it[row] for row in next(bad_order).tolist()]
                    fired = [self.fire(prompt, backdoor) for prompt in chosen]
                    goals = [self.aim(prompt, backdoor) for prompt in chosen]
                    loss = loss - self.beta * prompt_similarity(pipe, frozen, fired, goals)
                optimizer_step(loss, optimizer)
                schedule.step()
