"""ESD, Erased Stable Diffusion: train the model's own noise prediction away from a concept.

    min over theta of || eps_theta(x_t, c, t) - goal ||^2
    goal = eps*(x_t, t) - eta (eps*(x_t, c, t) - eps*(x_t, t))

with theta the trained parameters, eps* the frozen original, c the prompt of the target, eta the
strength of the negative guidance, x_t latents that the student itself denoised from noise with
prompt c, and t their timestep.

Source: Gandikota et al. 2023 (arXiv 2303.07345), equation 7; rohitgandikota/erasing @ a2189e9.
How this differs: the release labels x_t with a timestep 39 to 58 too high, here t is exact; the
2025 code denoises with the frozen model and uses eps*(x_t, c, t) in place of the first
eps*(x_t, t), so that its eta is ours plus one. With several targets, one is drawn per step, as the
authors do.
"""

import copy
from typing import Annotated, final

import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from erasers.base import Eraser
from erasers.shared.embeddings import embed, repeat
from erasers.shared.latents import Work, partial_sample, partial_sample_work, squared_error
from erasers.shared.prompts import PromptTemplates
from erasers.shared.training import ParameterGroup, optimizer_step, parameter_group, trainable
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class ESD(PromptTemplates, Eraser):
    """Fine-tuning on negatively guided noise predictions.

    Attributes:
        parameters: Trained subset: ``x`` cross-attention (styles), ``u`` all but cross-attention
            (objects, nudity), ``x-strict`` its keys and values, ``full``.
        eta: Negative guidance of the goal.
        steps: Optimizer steps.
        lr: Learning rate of Adam.
        batch_size: Latents a step, all of one timestep.
        guidance_scale: Guidance while x_t is denoised; 1 skips the empty half.
        num_inference_steps: DDIM steps of a whole trajectory, of which i ~ U{0..N-1} are done.
    """

    parameters: ParameterGroup = "x"
    eta: PositiveFloat = 1.0
    steps: PositiveInt = 1000
    lr: PositiveFloat = 1e-5
    batch_size: PositiveInt = 1
    guidance_scale: Annotated[float, Field(ge=1)] = 3.0
    num_inference_steps: Annotated[int, Field(ge=1, le=1000)] = 50

    def planned_ufe(self) -> int:
        """Return the expected work: partial denoising, two frozen passes, one trained."""
        return round(self.steps * self.batch_size * (self._denoising().mean + 2 + 3))

    def planned_ufe_std(self) -> float:
        """Return how far the draws of the partial denoising spread it."""
        return self.steps**0.5 * self.batch_size * self._denoising().std

    def _denoising(self) -> Work:
        return partial_sample_work(
            guidance_scale=self.guidance_scale, num_inference_steps=self.num_inference_steps
        )

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the chosen parameters of ``pipe.unet``."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        frozen = copy.deepcopy(pipe.unet).requires_grad_(False)
        prompts = [self.prompt(target, task) for target in task.targets]
        *concepts, nothing = embed(pipe, [*prompts, ""])
        empty = repeat(nothing, self.batch_size)
        with trainable(pipe.unet, parameter_group(pipe.unet, self.parameters)) as parameters:
            optimizer = torch.optim.Adam(parameters, lr=self.lr)
            for _ in range(self.steps):
                concept = repeat(concepts[_choice(len(concepts), generator)], self.batch_size)
                x_t, t = partial_sample(
                    pipe,
                    pipe.unet,
                    concept=concept,
                    empty=empty,
                    guidance_scale=self.guidance_scale,
                    num_inference_steps=self.num_inference_steps,
                    generator=generator,
                )
                with torch.no_grad():
                    eps_c, eps_0 = (frozen(x_t, t, text).sample for text in (concept, empty))
                goal = negative_guidance(eps_c=eps_c, eps_0=eps_0, eta=self.eta)
                loss = squared_error(pipe.unet(x_t, t, concept).sample, goal)
                task.report(loss=loss)
                optimizer_step(loss, optimizer)


def negative_guidance(
    *, eps_c: Float[Tensor, "*shape"], eps_0: Float[Tensor, "*shape"], eta: float
) -> Float[Tensor, "*shape"]:
    """Return the noise prediction moved ``eta`` away from the prompt (equation 7)."""
    return eps_0 - eta * (eps_c - eps_0)


def _choice(count: int, generator: torch.Generator) -> int:
    """Draw an index; a single choice draws nothing."""
    if count == 1:
        return 0
    return int(torch.randint(count, (), generator=generator, device=generator.device))
