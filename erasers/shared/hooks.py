"""Call a function for the prompts that a pipeline encodes, in any sampler."""

from collections.abc import Callable, Sequence
from typing import Any

from diffusers import StableDiffusionPipeline
from jaxtyping import Float
from torch import Tensor


def add_prompt_hook(
    pipe: StableDiffusionPipeline,
    act: Callable[[Sequence[str] | None, Float[Tensor, "b token emb"]], None],
) -> None:
    """Call ``act`` with the prompts and their embeddings whenever the pipeline encodes some.

    A prompt is repeated for each of its images, so that both have one entry a row. The prompts are
    None where a call brings embeddings instead.
    """
    encode = pipe.encode_prompt

    def encode_prompt(prompt: str | list[str] | None, *args: Any, **kwargs: Any) -> Any:
        found = encode(prompt, *args, **kwargs)
        if prompt is None:
            act(None, found[0])
            return found
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        images = len(found[0]) // len(prompts)
        act([text for text in prompts for _ in range(images)], found[0])
        return found

    pipe.encode_prompt = encode_prompt
