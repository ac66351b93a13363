"""SalUn, Saliency Unlearning: relabel the target as its anchor, by the weights that matter to it.

    m = 1( |grad l_f(theta_0)| >= gamma ),    l_f = E || eps_theta(x_t, c, t) - eps ||^2
    min over theta of E || eps_theta(x_t, c, t) - sg eps_theta(x_t, c', t) ||^2
                      + alpha E || eps_theta(x_t^r, c^r, t) - eps ||^2,    gradients times m

with (x, c) images of the target and their captions, c' the caption with the anchor in the target's
place, (x^r, c^r) retain images, sg no gradient, and gamma the threshold that lets the ``share``
most salient weights through.

Source: Fan et al. 2024 (arXiv 2310.12508); OPTML-Group/Unlearn-Saliency @
a6e89fd, SD/. How this differs: the release finds m with the guided prediction (1+w) e_c - w e_0, w
= 7.5 (``mask_guidance``); it encodes an image twice, with other latents for c and c'.
UnlearnCanvas' runs of it (``as_released``) never apply the mask, and see the first batch of the
target only.

Cost: 3 UFE for each forget image, 6 with ``mask_guidance``; then for each image of a step 3 + 1 to
forget and 3 to retain.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, final

import torch
from diffusers import StableDiffusionPipeline
from pydantic import Field, NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import Parameter

from erasers.base import Eraser
from erasers.shared.data import (
    CaptionedBatch,
    ForgetRetain,
    forget_and_retain_batches,
    guided_loss,
    relabeling_loss,
)
from erasers.shared.embeddings import embed, repeat
from erasers.shared.latents import denoising_loss
from erasers.shared.training import (
    gradients,
    optimizer_step,
    parameter_group,
    top_fraction,
    trainable,
)
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class SalUn(ForgetRetain, Eraser):
    """Relabeling under a saliency mask.

    Attributes:
        share: Part of the trained weights that may move; the paper's half.
        alpha: Weight of the retain loss.
        mask_batches: Batches of target images behind the mask.
        mask_guidance: w of the guided prediction that finds the mask; 0 is the paper's plain loss.
        as_released: Without the mask, and with the same first batch at every step.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"anchor", "retain", "images"})

    steps: PositiveInt = 500
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    alpha: NonNegativeFloat = 0.5
    mask_batches: PositiveInt = 4
    mask_guidance: NonNegativeFloat = 0.0
    as_released: bool = False

    def planned_ufe(self) -> int:
        """Return the work for the mask and for the steps, as the module says."""
        masking = 0 if self.as_released else self.mask_batches * (6 if self.mask_guidance else 3)
        return self.batch_size * (masking + 7 * self.steps)

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the salient part of the chosen parameters of ``pipe.unet``."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        forget, retain = forget_and_retain_batches(
            pipe, task, batch_size=self.batch_size, generator=generator,
            always_first=self.as_released,
        )  # fmt: skip
        with trainable(pipe.unet, parameter_group(pipe.unet, self.parameters)) as parameters:
            masks = None if self.as_released else self._masks(pipe, parameters, forget)
            optimizer = torch.optim.Adam(parameters, lr=self.lr)
            for _ in range(self.steps):
                relabeled, kept = next(forget), next(retain)
                loss = relabeling_loss(pipe.unet, relabeled)
                loss = loss + self.alpha * denoising_loss(pipe.unet, kept.noised, kept.text)
                task.report(loss=loss)
                optimizer_step(loss, optimizer, masks=masks)

    def _masks(
        self,
        pipe: StableDiffusionPipeline,
        parameters: Sequence[Parameter],
        forget: Iterator[CaptionedBatch],
    ) -> list[Tensor]:
        """Return where |gradient of l_f|, summed over batches before the modulus, is large."""
        empty = repeat(embed(pipe, [""])[0], self.batch_size)
        total = [torch.zeros_like(weight) for weight in parameters]
        for batch in itertools.islice(forget, self.mask_batches):
            loss = guided_loss(pipe.unet, batch, empty, self.mask_guidance)
            found = gradients(loss, parameters)
            total = [old + new for old, new in zip(total, found, strict=True)]
        return top_fraction([grad.abs() for grad in total], self.share)
