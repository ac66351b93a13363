"""Cross-attention maps of a UNet call, with their gradients."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor


@final
class CapturingProcessor:
    """An attention processor that also keeps its probabilities, [b, head, query, token]."""

    def __init__(self, found: list[Tensor]) -> None:
        self._found = found

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Attend, as diffusers' own processor does inside a transformer block."""
        text = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(text))
        value = attn.head_to_batch_dim(attn.to_v(text))
        probs = attn.get_attention_scores(query, key, attention_mask)  # image by image, then heads
        self._found.append(probs.unflatten(0, (-1, attn.heads)))
        attended = attn.batch_to_head_dim(torch.bmm(probs, value))
        return attn.to_out[1](attn.to_out[0](attended))


@contextmanager
def captured_cross_attention(unet: UNet2DConditionModel) -> Iterator[list[Tensor]]:
    """Collect the maps of all cross-attention layers in call order; clear the list as needed."""
    before = unet.attn_processors
    found: list[Tensor] = []
    unet.set_attn_processor(
        {
            name: CapturingProcessor(found) if ".attn2." in name else processor
            for name, processor in before.items()
        }
    )
    try:
        yield found
    finally:
        unet.set_attn_processor(dict(before))
