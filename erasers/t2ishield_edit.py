"""T2IShield's mitigation: the trigger's keys and values become those of a blank, in closed form.

    W' = (lam W + sum over i of W a_i c_i^T) (lam I + sum over i of c_i c_i^T)^-1

for every key and value projection W of the cross-attention, with c_i the token embeddings of the
trigger, from its first token to the end of the padding, and a_i those of a blank in the same
places (of the anchor, where the trigger needs a word of the prompt beside it).

Source: Wang et al. 2024 (T2IShield, ECCV), mitigation by concept editing; the formula is UCE's
without concepts to retain. Its repository Robin-WZQ/T2IShield @ b543ace holds no mitigation script.
How this differs from the public port (linweiii/BackdoorDM @ 7429db8, also lam = 0.1), which is
``as_released``: there every sum has the weight 0.1, that over the empty prompt's tokens, which are
retained, too; a trigger's tokens begin with its last one, and the blank's with the start token, as
in UCE's 2023 release; and the values lose their part along the trigger's,

    v = W a - <u, W a> u,    u = W c / ||W c||,    all tokens of a trigger as one long vector

Detection and localization of the trigger are left out: the task names it.
"""

from collections.abc import Sequence
from typing import ClassVar, final

import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from pydantic import PositiveFloat
from pydantic.dataclasses import dataclass
from torch import Tensor

from erasers.base import Eraser
from erasers.shared.embeddings import embed
from erasers.shared.prompts import PromptTemplates
from erasers.shared.training import parameter_group
from erasers.uce import closed_form, token_pairs
from unlearncanvas.types import ConceptTemplate, Task

SCALE = 0.1
"""The port's weight of the sums over the trigger's tokens and over those that it retains."""


@final
@dataclass(frozen=True, kw_only=True)
class T2IShieldEdit(PromptTemplates, Eraser):
    """Closed-form edit of all cross-attention keys and values.

    Attributes:
        object_prompt: Prompt of an anchor, what is left of a trigger without its word; a bare name,
            as the trigger's prompt is.
        lam: Pull towards the original weights.
        as_released: The public port's edit; it knows no anchor but the blank.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"anchor"})

    object_prompt: ConceptTemplate | None = "{words}"
    lam: PositiveFloat = 0.1
    as_released: bool = False

    def planned_ufe(self) -> int:
        """Return 0: no image is generated and nothing is trained."""
        return 0

    @torch.no_grad()
    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the ``attn2.to_k`` and ``attn2.to_v`` weights of ``pipe.unet``."""
        if self.as_released:
            self._edit_as_released(pipe, task)
            return
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

    def _edit_as_released(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit every projection by itself: its values depend on its own trigger's."""
        prompts = [self.prompt(target, task) for target in task.targets]
        names = [target.words for target in task.targets]
        nothing, blank, *targets = embed(pipe, ["", " ", *prompts], ["", "", *names])
        pairs = [token_pairs(target, blank, "subject_to_end") for target in targets]
        for weight in parameter_group(pipe.unet, "x-strict").values():
            weight.copy_(released_edit(weight, pairs, nothing.tokens, self.lam))


def released_edit(
    weight: Float[Tensor, "out emb"],
    pairs: Sequence[tuple[Tensor, Tensor]],
    retain: Float[Tensor, "token emb"],
    lam: float,
) -> Float[Tensor, "out emb"]:
    """Return W' of the port in float64, from (trigger, blank) tokens [pair, emb] of each target."""
    w, p = weight.double(), retain.double()
    left = lam * w + SCALE * w @ p.T @ p
    right = lam * torch.eye(w.shape[1], dtype=w.dtype, device=w.device) + SCALE * p.T @ p
    for trigger, blank in pairs:
        c = trigger.double()
        u = c @ w.T / (c @ w.T).norm()
        v = blank.double() @ w.T
        v = v - (u * v).sum() * u
        left, right = left + SCALE * v.T @ c, right + SCALE * c.T @ c
    return torch.linalg.solve(right, left, left=False)
