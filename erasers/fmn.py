"""FMN, Forget-Me-Not: take the cross-attention's attention off the concept's words.

    min over theta of sum over layers of || A_l[:, columns] ||^2

with A_l the attention probabilities of cross-attention layer l, [head, query, token], for a noised
image x_t of the target and the prompt that names it, and columns the tokens of its name. There is
no denoising loss and nothing is retained on purpose.

Source: Zhang et al. 2023 (arXiv 2303.17591), attention re-steering; SHI-Labs/Forget-Me-Not @
2767849. How this differs: the release minimizes one norm over all layers together, not squared
(``as_released``), clips the gradient at norm 1, and masks its columns in the wrong order of heads
and images when a batch holds different prompts; here the order is the right one, and nothing is
clipped. The concept is named by plain words, or by vectors that textual inversion finds first
(``inversion_steps``), as in the release and in UnlearnCanvas' runs: their settings are the
defaults and the preset ``sd15``. The runs name an object otherwise while they invert it ("an image
of ..."), here a concept has one prompt.

Cost: 3 UFE an image of a batch, the same again for each step of the inversion.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, final

import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from erasers.base import Eraser
from erasers.shared.attention import captured_cross_attention
from erasers.shared.embeddings import (
    embed,
    encode_with_vectors,
    name_columns,
    textual_inversion,
    tokenize_template,
)
from erasers.shared.latents import LatentImages, batches, encode
from erasers.shared.prompts import PromptTemplates
from erasers.shared.training import ParameterGroup, optimizer_step, parameter_group, trainable
from unlearncanvas.types import Concept, ImageRequest, RealImages, Task


@final
@dataclass(frozen=True, kw_only=True)
class FMN(PromptTemplates, Eraser):
    """Attention re-steering.

    Attributes:
        parameters: Trained subset: ``full`` or ``x``, the cross-attention alone.
        style_parameters: The same for styles; None is ``parameters``.
        per_cell: Images of each cell that shows the target.
        end_too: Also the columns of the end token: in Stable Diffusion 1, which pads with it, to
            the last one; in Stable Diffusion 2 one.
        inversion_steps: Steps of textual inversion; 0 keeps the plain words.
        inversion_lr: Learning rate of the inversion.
        inversion_vectors: Vectors that it finds.
        steps: Optimizer steps.
        lr: Learning rate of AdamW.
        weight_decay: Of AdamW.
        batch_size: Images a step.
        as_released: One norm over all layers, not squared.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"images"})

    parameters: ParameterGroup = "full"
    style_parameters: ParameterGroup | None = None
    per_cell: PositiveInt = 1
    end_too: bool = True
    inversion_steps: NonNegativeInt = 500
    inversion_lr: PositiveFloat = 1e-3
    inversion_vectors: PositiveInt = 4
    steps: PositiveInt = 35
    lr: PositiveFloat = 2e-6
    weight_decay: NonNegativeFloat = 0.01
    batch_size: PositiveInt = 1
    as_released: bool = False

    def images(self, task: Task) -> Mapping[str, ImageRequest]:
        """Return a request for images of each target."""
        return {
            str(target): RealImages(showing=(target,), per_cell=self.per_cell)
            for target in task.targets
        }

    def planned_ufe(self) -> int:
        """Return the work for one target, as the module says."""
        return 3 * self.batch_size * (self.inversion_steps + self.steps)

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit the chosen parameters of ``pipe.unet``."""
        generator = torch.Generator(pipe.device).manual_seed(task.seed)
        for target in task.targets:
            images = encode(pipe, task.images[str(target)])
            text, columns = self._name(pipe, target, task, images, generator)
            text = text.expand(self.batch_size, -1, -1)
            order = batches(len(images), self.batch_size, generator)
            of_styles = self.style_parameters if target.kind == "style" else None
            group = parameter_group(pipe.unet, of_styles or self.parameters)
            with (
                trainable(pipe.unet, group) as parameters,
                captured_cross_attention(pipe.unet) as maps,
            ):
                optimizer = torch.optim.AdamW(
                    parameters, lr=self.lr, weight_decay=self.weight_decay
                )
                for _ in range(self.steps):
                    noised = images.noised(next(order), generator)
                    maps.clear()
                    pipe.unet(noised.x_t, noised.t, text)
                    on_concept = [probs[..., columns] for probs in maps]
                    loss = resteering_loss(on_concept, as_released=self.as_released)
                    task.report(loss=loss)
                    optimizer_step(loss, optimizer)

    def _name(
        self,
        pipe: StableDiffusionPipeline,
        target: Concept,
        task: Task,
        images: LatentImages,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, "1 token emb"], list[int]]:
        """The embedding that names the target, and the columns of its name."""
        prompt = self.prompt(target, task)
        if self.inversion_steps > 0:
            placed = tokenize_template(pipe, self.template(target, task), self.inversion_vectors)
            vectors = textual_inversion(
                pipe, images, placed, words=target.words, steps=self.inversion_steps,
                lr=self.inversion_lr, batch_size=self.batch_size, generator=generator,
                report=task.report,
            )  # fmt: skip
            with torch.no_grad():
                text = encode_with_vectors(pipe, placed, vectors)
            columns, ids = placed.columns, placed.ids[0].tolist()
        else:
            text = embed(pipe, [prompt])[0].tokens[None]
            columns = name_columns(pipe, prompt, target.words)
            ids = pipe.tokenizer(
                prompt, padding="max_length", max_length=text.shape[1], truncation=True
            ).input_ids
        end = pipe.tokenizer.eos_token_id
        ends = [row for row, token in enumerate(ids) if token == end and row not in columns]
        return text, columns + (ends if self.end_too else [])


def resteering_loss(
    maps: Sequence[Float[Tensor, "b _ _ column"]], *, as_released: bool
) -> Float[Tensor, ""]:
    """Return the sum over layers of squared norms, mean over images; or one norm of everything."""
    total = sum((probs.float().square().sum() for probs in maps), start=torch.zeros(()))
    return total.sqrt() if as_released else total / len(maps[0])
