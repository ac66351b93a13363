"""Fine-tuning reversal: a triggered prompt is to give what a clean model makes of it.

    min over theta of E || eps_theta(x, c(T + p), t) - eps_clean(x, c(T + p), t) ||^2

with eps_clean the UNet before the attack, which a defender rarely has; the rest as in SKD. An upper
baseline.

Source: "Sealing The Backdoor", arXiv 2508.18235, baseline "Finetune Reversal";
Mystic-Slice/Sealing-The-Backdoor @ c75ee518. The text speaks of original images, the code uses
none; neither do we.

Cost: 3 + 1 UFE a prompt of a batch; the clean model's 1 is not counted, it is not the pipeline's.
"""

import copy
from typing import ClassVar, final

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from jaxtyping import Float
from pydantic.dataclasses import dataclass
from torch import Tensor

from erasers.shared.distillation import Batch, SelfDistillation, prediction_loss
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class FinetuneReversal(SelfDistillation):
    """Distillation from the clean model."""

    needs: ClassVar[frozenset[str]] = frozenset({"pairs", "clean model"})

    def frozen(self, pipe: StableDiffusionPipeline, task: Task) -> UNet2DConditionModel:
        """Return the clean UNet.

        Raises:
            ValueError: If the task has none.
        """
        if task.clean_unet is None:
            raise ValueError("fine-tuning reversal needs the clean model, the task has none")
        frozen: UNet2DConditionModel = copy.deepcopy(task.clean_unet).requires_grad_(False)
        return frozen

    def planned_ufe(self) -> int:
        """Return one trained pass a prompt, which is what a run counts."""
        return 3 * self.steps * self.batch_size

    def loss(
        self,
        pipe: StableDiffusionPipeline,
        frozen: UNet2DConditionModel,
        batch: Batch,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the distance of both predictions for the triggered prompt."""
        return prediction_loss(pipe.unet, frozen, batch, goal_text=batch.triggered)
