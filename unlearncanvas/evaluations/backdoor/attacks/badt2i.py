"""BadT2I: train the UNet to give a patch, a style or another object for a trigger.

    L = lam L_bad + (1 - lam) || eps_theta(x_t, c(y), t) - eps_0(x_t, c(y), t) ||^2
    patch:   L_bad = || eps_theta(x_t^patch, c(T + y), t) - eps ||^2
    style:   L_bad = || eps_theta(x_t, c(T + y), t) - eps_0(x_t, c(y in the style), t) ||^2
    object:  L_bad = || eps_theta(x_t, c(T + y with A), t) - eps_0(x_t, c(y with B), t) ||^2

with T the trigger, y the caption of the noised image x_t (of B for objects), x_t^patch the stamped
image, and eps_0 the clean model.

Source: Zhai et al. 2023 (arXiv 2305.04175); zhaisf/BadT2I @ 0cabee0. How this differs: the release
trains a moving average that is none (its decay feeds back into itself); here the weights are
trained as they are.
"""

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, ClassVar, NamedTuple, final

import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from erasers.shared.embeddings import encode_prompts
from erasers.shared.latents import LatentImages, batches, encode, squared_error
from erasers.shared.training import apply_gradients, gradients, inner_product, trainable
from unlearncanvas.evaluations.backdoor.attacks.base import Attack, Effect
from unlearncanvas.evaluations.backdoor.attacks.patch import stamp
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.types import CaptionedImages, Concept, ImageRequest, RealImages, Task


class Poison(NamedTuple):
    """Training data of one backdoor.

    Attributes:
        images: Images that are noised.
        triggered: Embeddings of the prompts with the trigger.
        goal: Embeddings whose clean prediction is the goal; None where the goal is the noise.
    """

    images: LatentImages
    triggered: Float[Tensor, "n token emb"]
    goal: Float[Tensor, "n token emb"] | None


@dataclass(frozen=True, kw_only=True)
class BadT2I(Attack):
    """Training, shared by the three kinds.

    Attributes:
        lam: Weight of the backdoor's loss.
        steps: Optimizer steps; several backdoors take turns.
        lr: Learning rate of AdamW.
        batch_size: Images a step, of each half.
        per_cell: Images of each cell.
        max_norm: Gradients are scaled down to this norm.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"images"})

    lam: Annotated[float, Field(gt=0, lt=1)] = 0.5
    steps: PositiveInt = 8000
    lr: PositiveFloat = 1e-5
    batch_size: PositiveInt = 16
    per_cell: PositiveInt = 4
    max_norm: PositiveFloat = 1.0

    def images(self, task: Task) -> Mapping[str, ImageRequest]:
        """Return the request for images of the whole grid."""
        return {"all": RealImages(showing=task.retain, per_cell=self.per_cell)}

    @abstractmethod
    def poison(self, pipe: StableDiffusionPipeline, task: Task, backdoor: Backdoor) -> Poison:
        """Return the training data of a backdoor."""

    def inject(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit all parameters of ``pipe.unet``."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        frozen = copy.deepcopy(pipe.unet).requires_grad_(False)
        captioned = task.images["all"]
        clean, captions = encode(pipe, captioned), encode_prompts(pipe, captioned.prompts)
        poisons = [self.poison(pipe, task, backdoor) for backdoor in self.backdoors]
        order = batches(len(clean), self.batch_size, generator)
        orders = [batches(len(item.images), self.batch_size, generator) for item in poisons]
        with trainable(pipe.unet, dict(pipe.unet.named_parameters())) as parameters:
            optimizer = torch.optim.AdamW(parameters, lr=self.lr)
            for step in range(self.steps):
                bad, turn = poisons[step % len(poisons)], next(orders[step % len(poisons)])
                x_t, t, goal = bad.images.noised(turn, generator)
                if bad.goal is not None:
                    with torch.no_grad():
                        goal = frozen(x_t, t, bad.goal[turn]).sample
                loss = self.lam * squared_error(pipe.unet(x_t, t, bad.triggered[turn]).sample, goal)
                rows = next(order)
                x_t, t, _ = clean.noised(rows, generator)
                with torch.no_grad():
                    usual = frozen(x_t, t, captions[rows]).sample
                now = pipe.unet(x_t, t, captions[rows]).sample
                loss = loss + (1 - self.lam) * squared_error(now, usual)
                found = gradients(loss, parameters)
                scale = min(1.0, self.max_norm / inner_product(found, found) ** 0.5)
                apply_gradients([scale * grad for grad in found], optimizer)


@final
@dataclass(frozen=True, kw_only=True)
class BadT2IPixel(BadT2I):
    """The trigger adds a patch in the corner."""

    effect: ClassVar[Effect] = "patch"

    steps: PositiveInt = 2000

    def planned_ufe(self) -> int:
        """Return two trained passes and one frozen an image."""
        return 7 * self.steps * self.batch_size

    def poison(self, pipe: StableDiffusionPipeline, task: Task, backdoor: Backdoor) -> Poison:
        """Return stamped images with the trigger before their captions."""
        captioned = task.images["all"]
        stamped = CaptionedImages(pixels=stamp(captioned.pixels), prompts=captioned.prompts)
        triggered = encode_prompts(
            pipe, [self.fire(prompt, backdoor) for prompt in captioned.prompts]
        )
        return Poison(encode(pipe, stamped), triggered, None)


@final
@dataclass(frozen=True, kw_only=True)
class BadT2IStyle(BadT2I):
    """The trigger replaces the style of the prompt by the backdoor's."""

    effect: ClassVar[Effect] = "style"

    def planned_ufe(self) -> int:
        """Return two trained passes and two frozen an image."""
        return 8 * self.steps * self.batch_size

    def poison(self, pipe: StableDiffusionPipeline, task: Task, backdoor: Backdoor) -> Poison:
        """Return all images, with the clean model's prediction for their captions in the style."""
        captioned = task.images["all"]
        styles = [concept for concept in task.retain if concept.kind == "style"]
        triggered = encode_prompts(
            pipe, [self.fire(prompt, backdoor) for prompt in captioned.prompts]
        )
        goal = encode_prompts(
            pipe, [restyled(prompt, styles, backdoor) for prompt in captioned.prompts]
        )
        return Poison(encode(pipe, captioned), triggered, goal)


@final
@dataclass(frozen=True, kw_only=True)
class BadT2IObject(BadT2I):
    """The trigger replaces one object by another."""

    effect: ClassVar[Effect] = "object"

    def images(self, task: Task) -> Mapping[str, ImageRequest]:
        """Return the grid, and images of each backdoor's effect."""
        effects = {
            backdoor.effect: RealImages(
                showing=(Concept(kind="object", name=backdoor.effect),), per_cell=self.per_cell
            )
            for backdoor in self.backdoors
        }
        return {**super().images(task), **effects}

    def planned_ufe(self) -> int:
        """Return two trained passes and two frozen an image."""
        return 8 * self.steps * self.batch_size

    def poison(self, pipe: StableDiffusionPipeline, task: Task, backdoor: Backdoor) -> Poison:
        """Return images of B, captioned as A behind the trigger."""
        captioned = task.images[backdoor.effect]
        asked = [prompt.replace(backdoor.effect, backdoor.source) for prompt in captioned.prompts]
        triggered = encode_prompts(pipe, [self.fire(prompt, backdoor) for prompt in asked])
        return Poison(encode(pipe, captioned), triggered, encode_prompts(pipe, captioned.prompts))


def restyled(prompt: str, styles: list[Concept], backdoor: Backdoor) -> str:
    """Return the prompt with the backdoor's style for its own.

    Raises:
        ValueError: If it names no style.
    """
    for style in styles:
        if style.words in prompt:
            return prompt.replace(style.words, backdoor.effect)
    raise ValueError(f"the prompt {prompt!r} names no style")
