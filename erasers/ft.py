"""Fine-tuning on the retain images alone: the plainest way to forget, by not being reminded.

    min over theta of E || eps_theta(x_t, c, t) - eps ||^2,    (x, c) from the retain images

with x_t the noised image, t its timestep, eps the noise and c the image's caption. Nothing touches
the target; whatever is forgotten is what training on the rest wears away.

Source: the baseline "FT" of the unlearning literature (e.g. Fan et al. 2024, arXiv 2310.12508).
Cost: 3 UFE an image of a batch.
"""

from collections.abc import Mapping
from typing import ClassVar, final

import torch
from diffusers import StableDiffusionPipeline
from pydantic.dataclasses import dataclass

from erasers.base import Eraser
from erasers.shared.data import ForgetRetain, captioned_batches
from erasers.shared.latents import denoising_loss
from erasers.shared.training import optimizer_step, parameter_group, trainable
from unlearncanvas.types import ImageRequest, Task


@final
@dataclass(frozen=True, kw_only=True)
class FT(ForgetRetain, Eraser):
    """Ordinary training on what must survive."""

    needs: ClassVar[frozenset[str]] = frozenset({"retain", "images"})

    def images(self, task: Task) -> Mapping[str, ImageRequest]:
        """Return the request for the retain images."""
        return {"retain": self.retain_request(task)}

    def planned_ufe(self) -> int:
        """Return one trained pass an image."""
        return 3 * self.steps * self.batch_size

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the chosen parameters of ``pipe.unet``."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        batches = captioned_batches(
            pipe, task, "retain", batch_size=self.batch_size, generator=generator
        )
        with trainable(pipe.unet, parameter_group(pipe.unet, self.parameters)) as parameters:
            optimizer = torch.optim.Adam(parameters, lr=self.lr)
            for _ in range(self.steps):
                batch = next(batches)
                loss = denoising_loss(pipe.unet, batch.noised, batch.text)
                task.report(loss=loss)
                optimizer_step(loss, optimizer)
