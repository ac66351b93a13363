"""Text embeddings as the UNet receives them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from torch import Tensor


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


def stack(embedding: Embedding, count: int) -> Float[Tensor, "b token emb"]:
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
