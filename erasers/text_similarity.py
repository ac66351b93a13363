"""How alike a trained text encoder reads prompts and a frozen one reads what they should say."""

from collections.abc import Sequence

import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def similarity(
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
