"""The subsets of a UNet's parameters that the field trains, by their names in the papers."""

import re
from typing import Literal

from diffusers import UNet2DConditionModel
from torch.nn import Parameter

ParameterGroup = Literal["x", "u", "x-strict", "full"]

PATTERNS: dict[str, str] = {
    "x": r"\.attn2\.to_(q|k|v|out\.0)\.",
    "x-strict": r"\.attn2\.to_(k|v)\.",
    "u": r"^(?!.*attn2)(?!time_embedding)(?!conv_out|conv_norm_out)",
    "full": r"",
}
"""x: cross-attention. x-strict: its keys and values. u: everything else but the time embedding and
the output layer (the set of the 2023 release, ``noxattn``). full: all."""


def parameter_group(unet: UNet2DConditionModel, group: ParameterGroup) -> dict[str, Parameter]:
    """Return the parameters of a group by name.

    Raises:
        ValueError: If the UNet has none of them.
    """
    pattern = re.compile(PATTERNS[group])
    chosen = {name: weight for name, weight in unet.named_parameters() if pattern.search(name)}
    if not chosen:
        raise ValueError(f"the UNet has no parameters of the group {group!r}")
    return chosen
