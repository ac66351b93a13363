"""Which weights matter for a set of images: by the gradient of a loss, or by gradient times weight.

Saliency |g| is SalUn's (Fan et al. 2024, arXiv 2310.12508); connection sensitivity
|g w| is SNIP's (Lee et al. 2019, arXiv 1810.02340), which Scissorhands uses.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def top_share(scores: Sequence[Tensor], share: float) -> list[Tensor]:
    """Return masks that are True for the ``share`` of all entries with the greatest scores.

    Ranked over all tensors together; ties at the threshold are all in.

    Args:
        scores: One tensor of scores, >= 0, for each parameter.
        share: In (0, 1].
    """
    flat = torch.cat([score.flatten() for score in scores])
    count = max(1, round(share * len(flat)))
    threshold = flat.kthvalue(len(flat) - count + 1).values
    return [score >= threshold for score in scores]
