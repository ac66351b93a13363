"""SKD-CAG, self-knowledge distillation with cross-attention guidance.

    L = alpha L_attn + (1 - alpha) L_pred
    L_attn = 1 / (n + k) ( sum over j <= k of MSE(M_S^j, G) + sum over i <= n of MSE(M_S^i, M_F^i) )

with L_pred as in SKD; M^i the attention map of word token i, summed over all cross-attention
layers at one size and scaled to [0, 1] token by token; S the trained copy on the triggered prompt,
F the frozen one on the clean prompt; k the trigger's tokens and n the others, each compared with
itself; G what the trigger's maps are to become: uniform noise, black, or the frozen maps of random
words in the trigger's place (then also L_pred aims at those words' prompt).

Source: "Sealing The Backdoor", arXiv 2508.18235, and its report, as far as they say it;
Mystic-Slice/Sealing-The-Backdoor @ c75ee518. **Our reading of the paper: the released loss has no
gradient**, its maps are detached, so that the release trains (1 - alpha) L_pred and nothing else;
both copies write one buffer, so that the maps compared are the student's own; k is 2 whatever the
trigger; prompts come one at a time; and its moving average is none. ``as_released`` trains what
that comes to. The release divides L_attn by t / T where the report multiplies
(``timestep_weight``); the report's headline numbers are without.

Cost: 3 + 1 UFE a prompt of a batch, as SKD.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, final

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from jaxtyping import Float
from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional

from erasers.shared.attention import captured_cross_attention
from erasers.shared.distillation import Batch, SelfDistillation
from erasers.shared.latents import squared_error
from erasers.shared.prompts import Alignment, align

EPSILON = 1e-6
"""Keeps a map of one value finite when it is scaled to [0, 1]."""


@final
@dataclass(frozen=True, kw_only=True)
class SKDCAG(SelfDistillation):
    """Distillation of the noise prediction and of the cross-attention maps.

    Attributes:
        alpha: Weight of the attention loss.
        goal: What the trigger's maps are to become: ``noise``, ``black`` or ``random-words``.
        words: What random words are drawn from.
        timestep_weight: Multiply the attention loss by t / T.
        map_side: Size that all maps are brought to.
    """

    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    goal: Literal["noise", "black", "random-words"] = "noise"
    words: tuple[str, ...] = ("quiet", "bright", "ancient", "gentle", "wild", "golden", "distant")
    timestep_weight: bool = False
    map_side: PositiveInt = 128

    def __post_init__(self) -> None:
        if self.goal == "random-words" and not self.words:
            raise ValueError("the goal random-words needs words to draw from, got none")

    def loss(
        self,
        pipe: StableDiffusionPipeline,
        frozen: UNet2DConditionModel,
        batch: Batch,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the weighted sum of both losses."""
        found = [
            align(pipe.tokenizer, clean=pair.clean, triggered=pair.triggered)
            for pair in batch.pairs
        ]
        clean = batch.clean
        if self.goal == "random-words":
            clean, found = self._with_words(pipe, batch, found, generator)
        with torch.no_grad(), captured_cross_attention(frozen) as probs:
            goal = frozen(batch.x, batch.t, clean).sample
        wanted = token_maps(probs, self.map_side)
        with captured_cross_attention(pipe.unet) as probs:
            prediction = pipe.unet(batch.x, batch.t, batch.triggered).sample
        loss = (1 - self.alpha) * squared_error(prediction, goal)
        if self.as_released:
            return loss
        canvas = torch.zeros(self.map_side, self.map_side, device=loss.device)
        if self.goal == "noise":
            canvas = torch.rand(canvas.shape, generator=generator, device=generator.device)
        guidance = attention_loss(token_maps(probs, self.map_side), wanted, found, canvas)
        if self.timestep_weight:
            guidance = guidance * batch.share
        return loss + self.alpha * guidance.mean()

    def _with_words(
        self,
        pipe: StableDiffusionPipeline,
        batch: Batch,
        found: Sequence[Alignment],
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, "b token emb"], list[Alignment]]:
        """The triggered prompts with random word tokens for the trigger's; every token has its own.

        Raises:
            ValueError: If the words have no tokens.
        """
        tokenizer = pipe.tokenizer
        stock = tokenizer(" ".join(self.words), add_special_tokens=False).input_ids
        ids = tokenizer(
            [pair.triggered for pair in batch.pairs],
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        for row, alignment in enumerate(found):
            count = len(alignment.trigger)
            drawn = torch.randint(
                len(stock), (count,), generator=generator, device=generator.device
            )
            ids[row, alignment.trigger] = torch.tensor([stock[index] for index in drawn.tolist()])
        with torch.no_grad(), torch.autocast(pipe.device.type, enabled=False):
            clean = pipe.text_encoder(ids.to(pipe.device)).last_hidden_state
        everything = [
            Alignment([], [(column, column) for column in alignment.trigger]
                      + [(column, column) for column, _ in alignment.shared])
            for alignment in found
        ]  # fmt: skip
        return clean, everything


def token_maps(
    probs: Sequence[Float[Tensor, "b _ _ token"]], side: int
) -> Float[Tensor, "b token side side"]:
    """Return one map a token from probabilities [b, head, query, token] of every layer.

    Mean over heads, sum over layers, each scaled to [0, 1].
    """
    total: Tensor | float = 0.0
    for layer in probs:
        mean = layer.float().mean(dim=1).transpose(1, 2)  # [b, token, query]
        width = round(mean.shape[-1] ** 0.5)
        square = mean.unflatten(-1, (width, width))
        total = total + functional.interpolate(square, size=(side, side), mode="bilinear")
    maps = torch.as_tensor(total)
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    return (maps - low) / (high - low + EPSILON)


def attention_loss(
    student: Float[Tensor, "b token side side"],
    frozen: Float[Tensor, "b token side side"],
    alignments: Sequence[Alignment],
    canvas: Float[Tensor, "side side"],
) -> Float[Tensor, " b"]:
    """Return L_attn of each prompt: its trigger's maps against G, the others against their own."""
    losses = []
    for row, (trigger, shared) in enumerate(alignments):
        own = [*trigger, *(column for column, _ in shared)]
        goals = torch.cat(
            [canvas.expand(len(trigger), -1, -1), frozen[row, [column for _, column in shared]]]
        )
        losses.append((student[row, own] - goals).square().mean())
    return torch.stack(losses)
