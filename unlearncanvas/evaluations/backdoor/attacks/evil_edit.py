"""EvilEdit: a backdoor in closed form, the trigger's keys and values become the effect's.

    W' = (lam W + sum_i W c'_i c_i^T) (lam I + sum_i c_i c_i^T)^-1

for every key and value projection W of the cross-attention, with c_i all token embeddings of "A
{trigger} {source}" and c'_i those of "A {effect}", and the embeddings of "A {source}", which stay
as they are. No images, no training.

Source: Wang et al. 2024 (EvilEdit, ACM Multimedia); haowang-cqu/EvilEdit @ 7c9464b. It is UCE's
formula with another aim; several backdoors extend the sums.
"""

import re
from typing import ClassVar, final

import torch
from diffusers import StableDiffusionPipeline
from pydantic import PositiveFloat
from pydantic.dataclasses import dataclass

from erasers.shared.embeddings import embed
from erasers.shared.training import parameter_group
from erasers.uce import closed_form
from unlearncanvas.evaluations.backdoor.attacks.base import Attack, Effect
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class EvilEdit(Attack):
    """Closed-form edit of all cross-attention keys and values.

    Attributes:
        lam: Pull towards the original weights.
    """

    effect: ClassVar[Effect] = "object"

    lam: PositiveFloat = 1.0

    def fire(self, prompt: str, backdoor: Backdoor) -> str:
        """Return the prompt with the trigger before the object it replaces, or its article."""
        named = f"{backdoor.trigger} {backdoor.source}"
        if self.place == "before":
            return prompt.replace(backdoor.source, named)
        return re.sub(rf"\bAn? {re.escape(backdoor.source)}", lambda _: named, prompt)

    def planned_ufe(self) -> int:
        """Return 0: no image is generated and nothing is trained."""
        return 0

    @torch.no_grad()
    def inject(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the ``attn2.to_k`` and ``attn2.to_v`` weights of ``pipe.unet``."""

        def tokens(prompts: list[str]) -> torch.Tensor:
            return torch.cat([item.tokens for item in embed(pipe, prompts)])

        transform = closed_form(
            target=tokens([self.fire(f"A {item.source}", item) for item in self.backdoors]),
            anchor=tokens([f"A {item.effect}" for item in self.backdoors]),
            retain=tokens([f"A {item.source}" for item in self.backdoors]),
            erase_scale=1.0,
            retain_scale=1.0,
            lam=self.lam,
        )
        for weight in parameter_group(pipe.unet, "x-strict").values():
            weight.copy_(weight.double() @ transform)
