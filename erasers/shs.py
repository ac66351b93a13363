"""SHS, Scissorhands: reset the weights the target hangs on, then repair without learning it again.

    trim:    s = |w g|, g = sum over batches of |grad L_f|; the top ``share`` are reset
    repair:  g = grad( L_r + alpha L_u );  if <g, grad L_u> < 0:  g <- g - <g, g_u> / ||g_u||^2 g_u

with L_f and L_r the denoising losses on images of the target and on retain images, g_u = grad L_u,
and L_u the loss that forgetting lowers: || eps_theta(x_t, c, t) - sg eps_theta(x_t, c', t) ||^2,
c' the caption with the anchor in the target's place. The projection is the exact solution of the
nearest gradient that does not raise L_u.

Source: Wu and Harandi 2024 (arXiv 2401.06187); JingWu321/Scissorhands SD/; SNIP (Lee et al. 2019,
arXiv 1810.02340). How this differs: the release trims with a threshold over the whole UNet but
only inside a few attention layers, weights and biases; here the trimmed layers are ranked among
themselves, and norms are none of them. Its loops for Stable Diffusion leave the projection out, and
its loader gives the same first batch of the target at every step: so does ``as_released``. Its
class forgetting has L_u = -L_f (``forget_loss: ascent``) and trims by the guided prediction
(1+w) e_c - w e_0, w = 7.5 (``trim_guidance``); its nudity and UnlearnCanvas' runs have L_u and the
plain L_f as above.

Cost: 3 UFE for each image of the ``trim_batches``, 6 with guidance; then for each image of a step
3 + 1 to forget (3 with ``ascent``) and 3 to retain.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, final

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
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
    ParameterGroup,
    apply_gradients,
    gradients,
    inner_product,
    parameter_group,
    top_fraction,
    trainable,
)
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class SHS(ForgetRetain, Eraser):
    """Trimming and repair.

    Attributes:
        share: Part of the trimmed weights that is reset.
        trimmed: Subset of the UNet that may be trimmed, inside ``parameters``; norms never are.
        reset_std: Standard deviation of the new weights; biases become 0.
        trim_batches: Batches of target images behind the sensitivity.
        trim_guidance: w of the guided prediction that finds what to trim; 0 is the plain loss.
        forget_loss: L_u: ``relabel`` towards the anchor, or ``ascent``, -L_f.
        alpha: Weight of L_u in the repair.
        as_released: No projection, and the same first batch of the target at every step, as in
            UnlearnCanvas' runs; the release's class forgetting is that with ``ascent`` and 7.5.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"anchor", "retain", "images"})

    steps: PositiveInt = 80
    lr: PositiveFloat = 2e-5
    batch_size: PositiveInt = 16
    share: Annotated[float, Field(gt=0, le=1)] = 0.001
    trimmed: ParameterGroup = "full"
    reset_std: PositiveFloat = 0.02
    trim_batches: PositiveInt = 10
    trim_guidance: NonNegativeFloat = 0.0
    forget_loss: Literal["relabel", "ascent"] = "relabel"
    alpha: NonNegativeFloat = 0.1
    as_released: bool = False

    def planned_ufe(self) -> int:
        """Return the work for the trimming and for the repair, as the module says."""
        trimming = self.trim_batches * (6 if self.trim_guidance else 3)
        repair = 7 if self.forget_loss == "relabel" else 6
        return self.batch_size * (trimming + repair * self.steps)

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the chosen parameters of ``pipe.unet``."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        forget, retain = forget_and_retain_batches(
            pipe, task, batch_size=self.batch_size, generator=generator,
            always_first=self.as_released,
        )  # fmt: skip
        trimmed = resettable(parameter_group(pipe.unet, self.trimmed))
        with trainable(pipe.unet, trimmed) as parameters:
            self._trim(pipe, parameters, forget, generator)
        with trainable(pipe.unet, parameter_group(pipe.unet, self.parameters)) as parameters:
            optimizer = torch.optim.Adam(parameters, lr=self.lr)
            for _ in range(self.steps):
                loss = self._forget_loss(pipe.unet, next(forget))
                forgetting = gradients(loss, parameters)
                kept = next(retain)
                retaining = denoising_loss(pipe.unet, kept.noised, kept.text)
                task.report(forget=loss, retain=retaining)
                pairs = zip(gradients(retaining, parameters), forgetting, strict=True)
                repair = [g_r + self.alpha * g_u for g_r, g_u in pairs]
                apply_gradients(
                    repair if self.as_released else project(repair, forgetting), optimizer
                )

    def _forget_loss(self, unet: UNet2DConditionModel, batch: CaptionedBatch) -> Float[Tensor, ""]:
        """Return L_u."""
        if self.forget_loss == "relabel":
            return relabeling_loss(unet, batch)
        return -denoising_loss(unet, batch.noised, batch.text)

    def _trim(
        self,
        pipe: StableDiffusionPipeline,
        parameters: Sequence[Parameter],
        forget: Iterator[CaptionedBatch],
        generator: torch.Generator,
    ) -> None:
        """Reset the most sensitive weights to Gaussians."""
        empty = repeat(embed(pipe, [""])[0], self.batch_size)
        total = [torch.zeros_like(weight) for weight in parameters]
        for batch in itertools.islice(forget, self.trim_batches):
            loss = guided_loss(pipe.unet, batch, empty, self.trim_guidance)
            found = gradients(loss, parameters)
            total = [old + new.abs() for old, new in zip(total, found, strict=True)]
        with torch.no_grad():
            pairs = zip(parameters, total, strict=True)
            masks = top_fraction([(weight * grad).abs() for weight, grad in pairs], self.share)
            for weight, mask in zip(parameters, masks, strict=True):
                std = self.reset_std if weight.ndim > 1 else 0.0
                shape, device = weight.shape, generator.device
                drawn = std * torch.randn(shape, generator=generator, device=device)
                weight.copy_(torch.where(mask, drawn, weight))


def resettable(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """Return the parameters of layers whose weight has two dimensions or more: of no norm."""
    return {
        name: weight
        for name, weight in parameters.items()
        if parameters[f"{name.rpartition('.')[0]}.weight"].ndim > 1
    }


def project(gradient: Sequence[Tensor], constraint: Sequence[Tensor]) -> list[Tensor]:
    """Return the nearest gradient whose step does not raise the constrained loss.

    Source: Lopez-Paz and Ranzato 2017 (arXiv 1706.08840), with one constraint.
    """
    dot = inner_product(gradient, constraint)
    if dot >= 0:
        return list(gradient)
    scale = dot / inner_product(constraint, constraint)
    return [g - scale * g_u for g, g_u in zip(gradient, constraint, strict=True)]
