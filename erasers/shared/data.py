"""Images to train on: those that show the target, and those to retain."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from jaxtyping import Float
from pydantic import PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor

from erasers.base import Method
from erasers.shared.embeddings import encode_prompts
from erasers.shared.latents import Noised, batches, encode, first_batch, squared_error
from erasers.shared.prompts import replace_concept
from erasers.shared.training import ParameterGroup
from unlearncanvas.types import ImageRequest, RealImages, Task


@dataclass(frozen=True, kw_only=True)
class ForgetRetain(Method):
    """Settings of an eraser that trains on images of the target and of what must survive.

    Attributes:
        parameters: Trained subset of the UNet.
        steps: Optimizer steps.
        lr: Learning rate of Adam.
        batch_size: Images a step, of each of the two sets.
        forget_per_cell: Images of each cell that shows the target.
        retain_per_cell: Images of each cell to retain.
        retain_from: ``all`` other concepts of the dataset, or only the ``anchor`` (UnlearnCanvas'
            own runs: the photos for a style, the next object for an object).
    """

    parameters: ParameterGroup = "full"
    steps: PositiveInt = 1000
    lr: PositiveFloat = 1e-5
    batch_size: PositiveInt = 8
    forget_per_cell: PositiveInt = 3
    retain_per_cell: PositiveInt = 3
    retain_from: Literal["all", "anchor"] = "all"

    def images(self, task: Task) -> Mapping[str, ImageRequest]:
        """Return the two requests, ``forget`` and ``retain``."""
        return {"forget": self.forget_request(task), "retain": self.retain_request(task)}

    def forget_request(self, task: Task) -> RealImages:
        """Return the request for images of the targets."""
        return RealImages(showing=task.targets, per_cell=self.forget_per_cell)

    def retain_request(self, task: Task) -> RealImages:
        """Return the request for images without any target."""
        anchor = () if task.anchor is None else (task.anchor,)
        shown = anchor if self.retain_from == "anchor" else task.retain
        return RealImages(showing=shown, without=task.targets, per_cell=self.retain_per_cell)


class CaptionedBatch(NamedTuple):
    """Noised images with their captions.

    Attributes:
        noised: Input of the UNet, and its goal.
        text: Embeddings of the captions.
        anchor: Of the captions with the anchor in the target's place; the same for retain images.
    """

    noised: Noised
    text: Float[Tensor, "b token emb"]
    anchor: Float[Tensor, "b token emb"]


def captioned_batches(
    pipe: StableDiffusionPipeline,
    task: Task,
    name: Literal["forget", "retain"],
    *,
    batch_size: int,
    generator: torch.Generator,
    always_first: bool = False,
) -> Iterator[CaptionedBatch]:
    """Yield noised batches of one set without end, every image once an epoch.

    ``always_first`` repeats the first batch at every step, as some released loaders do by mistake.
    """
    captioned = task.images[name]
    images, text = encode(pipe, captioned), encode_prompts(pipe, captioned.prompts)
    anchor = encode_prompts(pipe, [anchor_caption(prompt, task) for prompt in captioned.prompts])
    order = first_batch if always_first else batches
    for rows in order(len(images), batch_size, generator):
        yield CaptionedBatch(images.noised(rows, generator), text[rows], anchor[rows])


def forget_and_retain_batches(
    pipe: StableDiffusionPipeline,
    task: Task,
    *,
    batch_size: int,
    generator: torch.Generator,
    always_first: bool,
) -> tuple[Iterator[CaptionedBatch], Iterator[CaptionedBatch]]:
    """Return the batches to forget and those to retain; ``always_first`` applies to the former."""
    forget = captioned_batches(
        pipe,
        task,
        "forget",
        batch_size=batch_size,
        generator=generator,
        always_first=always_first,
    )
    retain = captioned_batches(pipe, task, "retain", batch_size=batch_size, generator=generator)
    return forget, retain


def anchor_caption(prompt: str, task: Task) -> str:
    """Return the prompt with the anchor's words for the target's; empty without an anchor."""
    if task.anchor is None:
        return ""
    return replace_concept(prompt, task.targets, task.anchor.words, others=task.retain)


def guided_loss(
    unet: UNet2DConditionModel, batch: CaptionedBatch, empty: Float[Tensor, "b token emb"], w: float
) -> Float[Tensor, ""]:
    """Return || (1 + w) eps_theta(x_t, c, t) - w eps_theta(x_t, c_0, t) - eps ||^2."""
    x_t, t, goal = batch.noised
    prediction = unet(x_t, t, batch.text).sample
    if w:
        prediction = (1 + w) * prediction - w * unet(x_t, t, empty).sample
    return squared_error(prediction, goal)


def relabeling_loss(unet: UNet2DConditionModel, batch: CaptionedBatch) -> Float[Tensor, ""]:
    """Return || eps_theta(x_t, c, t) - sg eps_theta(x_t, c', t) ||^2, c' the anchor's caption."""
    x_t, t, _ = batch.noised
    with torch.no_grad():
        goal = unet(x_t, t, batch.anchor).sample
    return squared_error(unet(x_t, t, batch.text).sample, goal)
