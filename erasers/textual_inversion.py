"""Textual inversion: a few word vectors that stand for the concept in some images.

    min over v of E || eps_theta(x_t, c(v), t) - eps ||^2

with c(v) the embedding of a prompt in which the vectors v stand where the words would. The
tokenizer and the text encoder are left as they are: the vectors enter by a hook for one call.

Source: Gal et al. 2022 (arXiv 2208.01618).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from torch import Tensor

from erasers.latents import LatentImages, batches, denoising_loss
from unlearncanvas.types import unreported


class Placed(NamedTuple):
    """A prompt with room for word vectors.

    Attributes:
        ids: Token ids, padded, [1, token].
        columns: Positions of the vectors.
    """

    ids: Tensor
    columns: list[int]


def place(pipe: StableDiffusionPipeline, template: str, count: int) -> Placed:
    """Return the template's tokens with ``count`` places where ``{words}`` stands."""
    tokenizer = pipe.tokenizer
    before, _, after = template.partition("{words}")
    left = tokenizer(before, add_special_tokens=False).input_ids
    right = tokenizer(after, add_special_tokens=False).input_ids
    end = tokenizer.eos_token_id
    ids = [tokenizer.bos_token_id, *left, *[end] * count, *right, end]
    ids += [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(ids))
    columns = list(range(1 + len(left), 1 + len(left) + count))
    return Placed(torch.tensor([ids], device=pipe.device), columns)


def embed_vectors(
    pipe: StableDiffusionPipeline, placed: Placed, vectors: Float[Tensor, "vector emb"]
) -> Float[Tensor, "1 token emb"]:
    """Return the prompt's embedding with the vectors in it; gradients flow to them."""

    def put_in(module: torch.nn.Module, args: Any, output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, placed.columns] = vectors.to(output.dtype)
        return changed

    handle = pipe.text_encoder.get_input_embeddings().register_forward_hook(put_in)
    try:
        with torch.autocast(pipe.device.type, enabled=False):
            return pipe.text_encoder(placed.ids).last_hidden_state
    finally:
        handle.remove()


def invert(
    pipe: StableDiffusionPipeline,
    images: LatentImages,
    placed: Placed,
    *,
    words: str,
    steps: int,
    lr: float,
    batch_size: int,
    generator: torch.Generator,
    report: Callable[..., None] = unreported,
) -> Float[Tensor, "vector emb"]:
    """Return vectors trained on the images, started from those of ``words``, repeated in turn.

    ``report`` takes each step's loss by the name ``inversion``.
    """
    table = pipe.text_encoder.get_input_embeddings().weight
    ids = pipe.tokenizer(words, add_special_tokens=False).input_ids
    start = table[[ids[row % len(ids)] for row in range(len(placed.columns))]]
    vectors = start.detach().clone().requires_grad_(True)
    optimizer = torch.optim.AdamW([vectors], lr=lr)
    order = batches(len(images), batch_size, generator)
    for _ in range(steps):
        noised = images.noised(next(order), generator)
        text = embed_vectors(pipe, placed, vectors).expand(batch_size, -1, -1)
        loss = denoising_loss(pipe.unet, noised, text)
        report(inversion=loss)
        (vectors.grad,) = torch.autograd.grad(loss, [vectors])
        optimizer.step()
    return vectors.detach()
