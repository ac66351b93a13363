"""T2IShield's mitigation: the trigger's keys and values become those of a blank, in closed form.

    W' = (lam W + sum over i of W a_i c_i^T) (lam I + sum over i of c_i c_i^T)^-1

for every key and value projection W of the cross-attention, with c_i the token embeddings of the
trigger, from its first token to the end of the padding, and a_i those of a blank in the same
places (of the anchor, where the trigger needs a word of the prompt beside it).

Source: Wang et al. 2024 (T2IShield, ECCV), mitigation by concept editing; the formula is UCE's
without concepts to retain. Its repository Robin-WZQ/T2IShield @ b543ace holds no mitigation
script; BackdoorDM's port (linweiii/BackdoorDM @ 7429db8) has lam = 0.1. Detection and localisation
of the trigger are left out: the task names it.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from diffusers import StableDiffusionPipeline

from erasers.base import Eraser
from erasers.checks import require_positive
from erasers.embeddings import embed
from erasers.parameter_groups import parameter_group
from erasers.prompts import PromptTemplates
from erasers.uce import closed_form
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class T2IShieldEdit(PromptTemplates, Eraser):
    """Closed-form edit of all cross-attention keys and values.

    Attributes:
        lam: Pull towards the original weights; > 0.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"anchor"})

    lam: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "lam")

    def planned_ufe(self) -> int:
        """Return 0: no image is drawn and nothing is trained."""
        return 0

    @torch.no_grad()
    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the ``attn2.to_k`` and ``attn2.to_v`` weights of ``pipe.unet``."""
        blank = " " if task.anchor is None else self.prompt(task.anchor, task)
        prompts = [self.prompt(target, task) for target in task.targets]
        anchor, *targets = embed(pipe, [blank, *prompts])
        transform = closed_form(
            target=torch.cat([target.tokens[1:] for target in targets]),
            anchor=torch.cat([anchor.tokens[1:]] * len(targets)),
            retain=anchor.tokens[:1],
            erase_scale=1.0,
            retain_scale=0.0,
            lam=self.lam,
        )
        for weight in parameter_group(pipe.unet, "x-strict").values():
            weight.copy_(weight.double() @ transform)
