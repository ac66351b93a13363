"""Gradient ascent: undo the training on the target's images by going the other way.

    max over theta of E || eps_theta(x_t, c, t) - eps ||^2,    (x, c) from the forget images

with x_t the noised image, t its timestep, eps the noise and c the image's caption. The loss has no
upper bound, so that steps and learning rate decide where it stops.

Source: the baseline "GA" of the unlearning literature (Thudi et al. 2022, arXiv 2109.13398; Fan et
al. 2024, arXiv 2310.12508). Cost: 3 UFE an image of a batch.
"""

from collections.abc import Mapping
from typing import ClassVar, final

import torch
from diffusers import StableDiffusionPipeline
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from erasers.base import Eraser
from erasers.shared.data import ForgetRetain, captioned_batches
from erasers.shared.latents import denoising_loss
from erasers.shared.training import optimizer_step, parameter_group, trainable
from unlearncanvas.types import ImageRequest, Task


@final
@dataclass(frozen=True, kw_only=True)
class GA(ForgetRetain, Eraser):
    """Training with the sign of the loss turned."""

    needs: ClassVar[frozenset[str]] = frozenset({"images"})

    steps: PositiveInt = 100

    def images(self, task: Task) -> Mapping[str, ImageRequest]:
        """Return the request for the target's images."""
        return {"forget": self.forget_request(task)}

    def planned_ufe(self) -> int:
        """Return one trained pass an image."""
        return 3 * self.steps * self.batch_size

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the chosen parameters of ``pipe.unet``."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        batches = captioned_batches(
            pipe, task, "forget", batch_size=self.batch_size, generator=generator
        )
        with trainable(pipe.unet, parameter_group(pipe.unet, self.parameters)) as parameters:
            optimizer = torch.optim.Adam(parameters, lr=self.lr, maximize=True)
            for _ in range(self.steps):
                batch = next(batches)
                loss = denoising_loss(pipe.unet, batch.noised, batch.text)
                task.report(loss=loss)
                optimizer_step(loss, optimizer)
