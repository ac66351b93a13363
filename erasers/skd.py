"""SKD, self-knowledge distillation: a triggered prompt is to give what the clean one gives.

    min over theta of E || eps_theta(x, c(T + p), t) - eps_0(x, c(p), t) ||^2

with theta the trained copy and eps_0 a frozen one of the same backdoored UNet, p a training prompt,
T + p the prompt with the trigger, x ~ N(0, I), t ~ U{0..T-1}. No term keeps the
prediction for clean prompts, nothing else is retained.

Source: "Sealing The Backdoor", arXiv 2508.18235, prediction loss alone;
Mystic-Slice/Sealing-The-Backdoor @ c75ee518. How this differs: the release's moving average is
none, its decay feeds back into itself until it halves each step; here it is one.

Cost: 3 + 1 UFE a prompt of a batch.
"""

from typing import final

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from jaxtyping import Float
from pydantic.dataclasses import dataclass
from torch import Tensor

from erasers.shared.distillation import Batch, SelfDistillation, prediction_loss


@final
@dataclass(frozen=True, kw_only=True)
class SKD(SelfDistillation):
    """Distillation of the noise prediction."""

    def loss(
        self,
        pipe: StableDiffusionPipeline,
        frozen: UNet2DConditionModel,
        batch: Batch,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the distance of both predictions."""
        return prediction_loss(pipe.unet, frozen, batch, goal_text=batch.clean)
