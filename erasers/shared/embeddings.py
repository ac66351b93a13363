"""Text embeddings as the UNet receives them: of prompts, and of vectors learned from images.

Textual inversion (Gal et al. 2022, arXiv 2208.01618) finds word vectors v that stand for a concept:

    min over v of E || eps_theta(x_t, c(v), t) - eps ||^2

with c(v) the embedding of a prompt in which the vectors v stand where the words would. Tokenizer
and text encoder stay as they are: a forward hook inserts the vectors for one call.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from erasers.shared.latents import LatentImages, batches, denoising_loss
from unlearncanvas.types import unreported


class Embedding(NamedTuple):
    """One prompt through the text encoder.

    Attributes:
        tokens: Last hidden state, padded to the encoder's length, [token, emb].
        last_subject: Index of the last token of the name in the prompt; the start token (0) for an
            empty one. The releases take the last token of the prompt: theirs end with the name.
    """

    tokens: Float[Tensor, "token emb"]
    last_subject: int


@torch.no_grad()
def embed(
    pipe: StableDiffusionPipeline, prompts: Sequence[str], names: Sequence[str] | None = None
) -> list[Embedding]:
    """Return the embeddings of the prompts, in full precision even under autocast.

    Args:
        pipe: Whose text encoder.
        prompts: One or more.
        names: The name in each prompt; None where each prompt is a name itself.
    """
    encoded = pipe.tokenizer(
        list(prompts),
        padding="max_length",
        max_length=pipe.tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    with torch.autocast(pipe.device.type, enabled=False):
        hidden = pipe.text_encoder(encoded.input_ids.to(pipe.device)).last_hidden_state
    last = (encoded.attention_mask.sum(dim=1) - 2).tolist()
    if names is not None:
        pairs = zip(prompts, names, strict=True)
        last = [name_columns(pipe, prompt, name)[-1] if name else 0 for prompt, name in pairs]
    return [Embedding(tokens, index) for tokens, index in zip(hidden, last, strict=True)]


def repeat(embedding: Embedding, count: int) -> Float[Tensor, "b token emb"]:
    """Return ``count`` copies as a batch."""
    return embedding.tokens.expand(count, -1, -1)


def word_columns(pipe: StableDiffusionPipeline, prompt: str, words: str) -> list[int]:
    """Return the token positions of ``words`` in a prompt, every occurrence; empty if none."""
    tokenizer = pipe.tokenizer
    ids = tokenizer(prompt, truncation=True, max_length=tokenizer.model_max_length).input_ids
    wanted = tokenizer(words, add_special_tokens=False).input_ids
    return [
        start + offset
        for start in range(len(ids) - len(wanted) + 1)
        if ids[start : start + len(wanted)] == wanted
        for offset in range(len(wanted))
    ]


def name_columns(pipe: StableDiffusionPipeline, prompt: str, words: str) -> list[int]:
    """Return the token positions of a name in a prompt that is to hold it.

    Raises:
        ValueError: If it does not.
    """
    found = word_columns(pipe, prompt, words)
    if not found:
        tokens = pipe.tokenizer.tokenize
        raise ValueError(
            f"the tokens of {words!r} are not in the prompt {prompt!r}: expected {tokens(words)} "
            f"in {tokens(prompt)}; write {{words}} in the template as a word of its own"
        )
    return found


def end_columns(pipe: StableDiffusionPipeline, prompt: str) -> list[int]:
    """Return the positions of the end token and of the padding behind it."""
    tokenizer = pipe.tokenizer
    ids = tokenizer(prompt, truncation=True, max_length=tokenizer.model_max_length).input_ids
    return list(range(len(ids) - 1, tokenizer.model_max_length))


def encode_prompts(
    pipe: StableDiffusionPipeline, prompts: Sequence[str]
) -> Float[Tensor, "n token emb"]:
    """Return the embeddings of the prompts as one tensor; equal prompts are encoded once."""
    distinct = list(dict.fromkeys(prompts))
    found = dict(zip(distinct, embed(pipe, distinct), strict=True))
    return torch.stack([found[prompt].tokens for prompt in prompts])


def prompt_similarity(
    pipe: StableDiffusionPipeline,
    frozen: torch.nn.Module,
    prompts: Sequence[str],
    goals: Sequence[str],
) -> Float[Tensor, ""]:
    """Return the mean of cos(E(prompt), E_0(goal)), all tokens of a prompt as one long vector."""
    tokenizer = pipe.tokenizer

    def ids(texts: Sequence[str]) -> Tensor:
        found = tokenizer(
            list(texts),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        return found.input_ids.to(pipe.device)

    with torch.autocast(pipe.device.type, enabled=False):
        now = pipe.text_encoder(ids(prompts)).last_hidden_state.flatten(1)
        with torch.no_grad():
            wanted = frozen(ids(goals)).last_hidden_state.flatten(1)
    return functional.cosine_similarity(now, wanted).mean()


class TokenizedTemplate(NamedTuple):
    """A tokenized prompt with positions for word vectors.

    Attributes:
        ids: Token ids, padded, [1, token].
        columns: Positions of the vectors.
    """

    ids: Tensor
    columns: list[int]


def tokenize_template(
    pipe: StableDiffusionPipeline, template: str, count: int
) -> TokenizedTemplate:
    """Return the template's tokens with ``count`` places where ``{words}`` stands."""
    tokenizer = pipe.tokenizer
    before, _, after = template.partition("{words}")
    left = tokenizer(before, add_special_tokens=False).input_ids
    right = tokenizer(after, add_special_tokens=False).input_ids
    end = tokenizer.eos_token_id
    ids = [tokenizer.bos_token_id, *left, *[end] * count, *right, end]
    ids += [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(ids))
    columns = list(range(1 + len(left), 1 + len(left) + count))
    return TokenizedTemplate(torch.tensor([ids], device=pipe.device), columns)


def encode_with_vectors(
    pipe: StableDiffusionPipeline, placed: TokenizedTemplate, vectors: Float[Tensor, "vector emb"]
) -> Float[Tensor, "1 token emb"]:
    """Return the prompt's embedding with the vectors in it; gradients flow to them."""

    def insert(module: torch.nn.Module, args: Any, output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, placed.columns] = vectors.to(output.dtype)
        return changed

    handle = pipe.text_encoder.get_input_embeddings().register_forward_hook(insert)
    try:
        with torch.autocast(pipe.device.type, enabled=False):
            return pipe.text_encoder(placed.ids).last_hidden_state
    finally:
        handle.remove()


def textual_inversion(
    pipe: StableDiffusionPipeline,
    images: LatentImages,
    placed: TokenizedTemplate,
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
        text = encode_with_vectors(pipe, placed, vectors).expand(batch_size, -1, -1)
        loss = denoising_loss(pipe.unet, noised, text)
        report(inversion=loss)
        (vectors.grad,) = torch.autograd.grad(loss, [vectors])
        optimizer.step()
    return vectors.detach()
