"""Self-distillation of a backdoored UNet: what SKD, SKD-CAG and fine-tuning reversal share.

The trained copy predicts from the prompt with the trigger, a frozen copy gives the goal. The
latents are pure noise x ~ N(0, I) at every timestep t ~ U{0..T-1}: no image is needed.
"""

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, NamedTuple

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.training_utils import EMAModel
from jaxtyping import Float, Int
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from erasers.base import Eraser
from erasers.shared.embeddings import encode_prompts
from erasers.shared.latents import batches, squared_error
from erasers.shared.prompts import require_pairs
from erasers.shared.training import optimizer_step, trainable
from unlearncanvas.types import PromptPair, Task


class Batch(NamedTuple):
    """The inputs of one step.

    Attributes:
        pairs: Prompts without and with the trigger.
        clean: Embeddings of the prompts without the trigger.
        triggered: Embeddings of the prompts with it.
        x: Noise, the input of both copies.
        t: Timesteps.
        share: t / T, in [0, 1).
    """

    pairs: Sequence[PromptPair]
    clean: Float[Tensor, "b token emb"]
    triggered: Float[Tensor, "b token emb"]
    x: Float[Tensor, "b 4 h w"]
    t: Int[Tensor, " b"]
    share: Float[Tensor, " b"]


@dataclass(frozen=True, kw_only=True)
class SelfDistillation(Eraser):
    """The training that the methods share: all parameters of the UNet, AdamW, a moving average.

    Attributes:
        steps: Optimizer steps.
        lr: Learning rate of AdamW.
        weight_decay: Of AdamW.
        batch_size: Prompts a step.
        ema_decay: Decay of the moving average that replaces the weights at the end; it warms up as
            (1 + n) / (10 + n). 0 keeps the last weights.
        as_released: What the release trains; its average's decay ends at a half.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"pairs"})

    steps: PositiveInt = 1875
    lr: PositiveFloat = 1e-6
    weight_decay: NonNegativeFloat = 0.01
    batch_size: PositiveInt = 4
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    as_released: bool = False

    def planned_ufe(self) -> int:
        """Return one frozen and one trained pass a prompt."""
        return 4 * self.steps * self.batch_size

    @abstractmethod
    def loss(
        self,
        pipe: StableDiffusionPipeline,
        frozen: UNet2DConditionModel,
        batch: Batch,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the loss of one step; ``pipe.unet`` is the trained copy."""

    def frozen(self, pipe: StableDiffusionPipeline, task: Task) -> UNet2DConditionModel:
        """Return the copy that gives the goal: the backdoored UNet, unchanged."""
        return copy.deepcopy(pipe.unet).requires_grad_(False)

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit all parameters of ``pipe.unet``.

        Raises:
            ValueError: If the task has no prompts with triggers.
        """
        require_pairs(task)
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        frozen = self.frozen(pipe, task)
        clean = encode_prompts(pipe, [pair.clean for pair in task.pairs])
        triggered = encode_prompts(pipe, [pair.triggered for pair in task.pairs])
        order = batches(len(task.pairs), self.batch_size, generator)
        with trainable(pipe.unet, dict(pipe.unet.named_parameters())) as parameters:
            optimizer = torch.optim.AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay)
            average = EMAModel(parameters, decay=0.5 if self.as_released else self.ema_decay)
            for _ in range(self.steps):
                rows = next(order)
                pairs = [task.pairs[row] for row in rows.tolist()]
                batch = Batch(
                    pairs, clean[rows], triggered[rows], *sample_inputs(pipe, len(rows), generator)
                )
                loss = self.loss(pipe, frozen, batch, generator)
                task.report(loss=loss)
                optimizer_step(loss, optimizer)
                average.step(parameters)
            average.copy_to(parameters)


def sample_inputs(
    pipe: StableDiffusionPipeline, count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "b 4 h w"], Int[Tensor, " b"], Float[Tensor, " b"]]:
    """Sample noise x ~ N(0, I) and timesteps t ~ U{0..T-1}; return x, t and t / T."""
    device, config = generator.device, pipe.unet.config
    shape = (count, config.in_channels, config.sample_size, config.sample_size)
    x = torch.randn(shape, generator=generator, device=device)
    num_timesteps = pipe.scheduler.config.num_train_timesteps
    t = torch.randint(num_timesteps, (count,), generator=generator, device=device)
    return x, t, t / num_timesteps


def prediction_loss(
    unet: UNet2DConditionModel,
    frozen: UNet2DConditionModel,
    batch: Batch,
    *,
    goal_text: Float[Tensor, "b token emb"],
) -> Float[Tensor, ""]:
    """Return || eps_theta(x, c(T + p), t) - eps_frozen(x, goal, t) ||^2."""
    with torch.no_grad():
        goal = frozen(batch.x, batch.t, goal_text).sample
    return squared_error(unet(batch.x, batch.t, batch.triggered).sample, goal)
