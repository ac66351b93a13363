"""CA, Concept Ablation: teach the target's prompts to give what the anchor's give.

    model-based:  min over theta of E || eps_theta(x_t, c*, t) - sg eps_theta(x_t, c, t) ||^2
    noise-based:  min over theta of E || eps_theta(x_t, c*, t) - eps ||^2
    prior:        + w E || eps_theta(x_t, c, t) - eps ||^2

with x_t noised images that the base model generated for the anchor's prompts c, c* the same prompts
with the target in the anchor's place, sg no gradient (the teacher is the student itself), eps the
noise.

Source: Kumari et al. 2023 (arXiv 2303.13516); nupurkmr9/concept-ablation @ c11fb1b. How this
differs: the release takes its prompts from lists written by a language model, here they are
templates over the retained concepts of the other kind (for a backdoor's trigger, the task's prompts
without and with it); it shrinks and pads some images, here none; it replaces the anchor's words
wherever their letters are, here whole words; it clips the gradient at norm 1, here nothing is.
UnlearnCanvas' run for objects (``as_released``) draws its anchors from prompts of the target itself
and trains "<prompt>, in the style of <target>".

Cost: 3 + 1 UFE an image of a batch (model-based), 3 more with the prior term; the images
generated beforehand are counted apart.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, final

import torch
from diffusers import StableDiffusionPipeline
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from erasers.base import Eraser
from erasers.shared.embeddings import encode_prompts
from erasers.shared.latents import batches, denoising_loss, encode, squared_error
from erasers.shared.prompts import ContextTemplates, replace_concept
from erasers.shared.training import ParameterGroup, optimizer_step, parameter_group, trainable
from unlearncanvas.types import Concept, GeneratedImages, ImageRequest, Task


@final
@dataclass(frozen=True, kw_only=True)
class CA(ContextTemplates, Eraser):
    """Fine-tuning the target's prompts towards the anchor's predictions.

    Attributes:
        loss: ``model`` (towards the model's own prediction for the anchor) or ``noise``.
        parameters: Trained subset: ``x-strict`` keys and values (styles, objects), ``full``
            (memorized images).
        num_images: Images generated for the anchor.
        image_steps: Sampler steps of each.
        image_guidance: Guidance of each.
        prior_weight: w; 0 leaves the term out.
        steps: Optimizer steps.
        lr: Learning rate of AdamW.
        weight_decay: Of AdamW.
        batch_size: Images a step.
        as_released: Objects are their own anchors, as in UnlearnCanvas' runs.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"anchor", "retain", "images"})

    loss: Literal["model", "noise"] = "model"
    parameters: ParameterGroup = "x-strict"
    num_images: PositiveInt = 1000
    image_steps: PositiveInt = 25
    image_guidance: Annotated[float, Field(ge=1)] = 6.0
    prior_weight: NonNegativeFloat = 0.0
    steps: PositiveInt = 100
    lr: PositiveFloat = 1.6e-5
    weight_decay: NonNegativeFloat = 0.01
    batch_size: PositiveInt = 8
    as_released: bool = False

    def images(self, task: Task) -> Mapping[str, ImageRequest]:
        """Return the request for the anchor's images."""
        if task.targets[0].kind == "trigger":
            prompts = [pair.clean for pair in task.pairs]
        else:
            prompts = self.contexts(self._source(task), task)
        return {
            "anchor": GeneratedImages(
                prompts=tuple(prompts[row % len(prompts)] for row in range(self.num_images)),
                num_inference_steps=self.image_steps,
                guidance_scale=self.image_guidance,
            )
        }

    def planned_ufe(self) -> int:
        """Return the work of the steps, as the module says."""
        each = 3 + (self.loss == "model") + 3 * (self.prior_weight > 0)
        return each * self.steps * self.batch_size

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the chosen parameters of ``pipe.unet``."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        captioned = task.images["anchor"]
        images, anchor = encode(pipe, captioned), encode_prompts(pipe, captioned.prompts)
        targets = [encode_prompts(pipe, prompts) for prompts in self.target_prompts(task)]
        order = batches(len(images), self.batch_size, generator)
        with trainable(pipe.unet, parameter_group(pipe.unet, self.parameters)) as parameters:
            optimizer = torch.optim.AdamW(parameters, lr=self.lr, weight_decay=self.weight_decay)
            for step in range(self.steps):
                rows = next(order)
                noised = images.noised(rows, generator)
                goal = noised.goal
                if self.loss == "model":
                    with torch.no_grad():
                        goal = pipe.unet(noised.x_t, noised.t, anchor[rows]).sample
                target = targets[step % len(targets)][rows]
                loss = squared_error(pipe.unet(noised.x_t, noised.t, target).sample, goal)
                if self.prior_weight > 0:
                    prior = denoising_loss(pipe.unet, noised, anchor[rows])
                    loss = loss + self.prior_weight * prior
                task.report(loss=loss)
                optimizer_step(loss, optimizer)

    def _source(self, task: Task) -> Concept:
        """The concept whose images are trained on.

        Raises:
            ValueError: If the task names no anchor.
        """
        if self.as_released and task.targets[0].kind == "object":
            return task.targets[0]
        if task.anchor is None:
            raise ValueError("concept ablation needs an anchor, the task names none")
        return task.anchor

    def target_prompts(self, task: Task) -> list[list[str]]:
        """Return the anchor's prompts as prompts of each target; of a trigger, the task's pairs."""
        prompts = task.images["anchor"].prompts
        if task.targets[0].kind == "trigger":
            pairs = [task.pairs[row % len(task.pairs)] for row in range(len(prompts))]
            return [[pair.triggered for pair in pairs]]
        return [
            [self.target_prompt(prompt, target, task) for prompt in prompts]
            for target in task.targets
        ]

    def target_prompt(self, prompt: str, target: Concept, task: Task) -> str:
        """Return an anchor's prompt as a prompt of the target."""
        source = self._source(task)
        if source == target:
            return f"{prompt.rstrip('.')}, in the style of {self.prompt(target, task)}"
        return replace_concept(prompt, [source], target.words, others=task.retain)
