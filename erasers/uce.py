"""UCE, Unified Concept Editing: the keys and values of a concept become those of its anchor.

    W' = (lam W + s_e sum_i v_i c_i^T + s_r sum_j W p_j p_j^T)
         (lam I + s_e sum_i c_i c_i^T + s_r sum_j p_j p_j^T)^-1,    v_i = W a_i

for every key and value projection W of the cross-attention, with c_i the token embeddings of the
target, a_i those of the anchor, p_j those of the concepts to retain, s_e and s_r their weights and
lam the pull towards the original. No images, no training.

Source: Gandikota et al. 2024 (arXiv 2308.14761), equation 7; rohitgandikota/unified-concept-editing
@ f7222e6 (2023) and @ 28c81ed (2025). How this differs: the ridge lam I is not in the printed
equation, it comes from TIME (arXiv 2303.08084) and from both releases; sums and solve are float64,
the releases invert in float32. They take the last token of a prompt, which in their prompts is the
name's ("Van Gogh", "painting by Van Gogh"); here the name's own last token is found wherever the
template has it. As v_i = W a_i, W' = W B A^-1 with A, B the same for every layer.
"""

from typing import ClassVar, Literal, final

import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from pydantic import NonNegativeFloat, PositiveFloat
from pydantic.dataclasses import dataclass
from torch import Tensor

from erasers.base import Eraser
from erasers.shared.embeddings import Embedding, embed
from erasers.shared.prompts import PromptTemplates
from erasers.shared.training import parameter_group
from unlearncanvas.types import Task

TokenPolicy = Literal["subject_to_end", "last_subject"]


@final
@dataclass(frozen=True, kw_only=True)
class UCE(PromptTemplates, Eraser):
    """Closed-form edit of all cross-attention keys and values.

    Attributes:
        tokens: Which tokens of target and anchor are paired: ``subject_to_end`` (2023: from the
            last token of the name to the end of the padding) or ``last_subject`` (2025: that token
            alone).
        erase_scale: s_e, weight of each target token.
        retain_scale: s_r, weight of each retained token. None is max(0.1, 1 / number of
            retained prompts), as released.
        lam: Pull towards the original weights.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"anchor", "retain"})
    version: ClassVar[int] = 2

    tokens: TokenPolicy = "subject_to_end"
    erase_scale: PositiveFloat = 1.0
    retain_scale: NonNegativeFloat | None = None
    lam: PositiveFloat = 0.5

    def planned_ufe(self) -> int:
        """Return 0: no image is generated and nothing is trained."""
        return 0

    @torch.no_grad()
    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the ``attn2.to_k`` and ``attn2.to_v`` weights of ``pipe.unet``."""
        anchors = () if task.anchor is None else (task.anchor,)
        concepts = list(dict.fromkeys((*task.targets, *anchors, *task.retain)))
        prompts = [self.prompt(concept, task) for concept in concepts]
        names = [concept.words for concept in concepts]
        nothing, *found = embed(pipe, ["", *prompts], ["", *names])
        named = dict(zip(concepts, found, strict=True))
        anchor = named[task.anchor] if task.anchor else nothing
        pairs = [token_pairs(named[target], anchor, self.tokens) for target in task.targets]
        retained = [nothing, *(named[concept] for concept in task.retain)]
        if self.tokens == "last_subject":
            retain = torch.stack([item.tokens[item.last_subject] for item in retained])
        else:
            retain = torch.cat([item.tokens for item in retained])
        scale = self.retain_scale
        if scale is None:
            scale = max(0.1, 1 / len(retained))
        transform = closed_form(
            target=torch.cat([pair[0] for pair in pairs]),
            anchor=torch.cat([pair[1] for pair in pairs]),
            retain=retain,
            erase_scale=self.erase_scale,
            retain_scale=scale,
            lam=self.lam,
        )
        for weight in parameter_group(pipe.unet, "x-strict").values():
            weight.copy_(weight.double() @ transform)


def token_pairs(
    target: Embedding, anchor: Embedding, policy: TokenPolicy
) -> tuple[Float[Tensor, "pair emb"], Float[Tensor, "pair emb"]]:
    """Return the token embeddings of target and anchor that are paired, row by row."""
    starts = target.last_subject, anchor.last_subject
    length = 1 if policy == "last_subject" else len(target.tokens) - max(starts)
    return (
        target.tokens[starts[0] : starts[0] + length],
        anchor.tokens[starts[1] : starts[1] + length],
    )


def closed_form(
    *,
    target: Float[Tensor, "pair emb"],
    anchor: Float[Tensor, "pair emb"],
    retain: Float[Tensor, "token emb"],
    erase_scale: float,
    retain_scale: float,
    lam: float,
) -> Float[Tensor, "emb emb"]:
    """Return B A^-1 in float64: what every W is multiplied by from the right (equation 7)."""
    target, anchor, retain = target.double(), anchor.double(), retain.double()
    ridge = lam * torch.eye(target.shape[1], dtype=torch.float64, device=target.device)
    kept = ridge + retain_scale * retain.T @ retain
    a = kept + erase_scale * target.T @ target
    b = kept + erase_scale * anchor.T @ target
    return torch.linalg.solve(a, b, left=False)
