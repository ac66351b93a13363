"""Tensors as a handful of float64 numbers that a change of any element moves."""

from collections import defaultdict
from zlib import crc32

import numpy as np

from unlearncanvas.core.digests import digest_tensors

DEPTH = 4
"""Parts of a tensor's name that make its group: ``unet.up_blocks.1.attentions``."""


def sketch(changes):
    """Return how many tensors, norm and projection of each group, and a digest of all.

    Args:
        changes: Name to (tensor, what it was before; None where it is new).

    A projection on a fixed Gaussian direction moves with every sign, order and scale; a norm with
    every scale. The digest is for two checkouts on one machine: machines agree to rounding only.
    """
    squares, projections, counts = defaultdict(float), defaultdict(float), defaultdict(int)
    for name, (after, before) in sorted(changes.items()):
        moved = after.double() - (0 if before is None else before.double())
        group = ".".join(name.split(".")[:DEPTH])
        counts[group] += 1
        squares[group] += float(moved.square().sum())
        projections[group] += float(moved.flatten().numpy() @ _direction(name, moved.numel()))
    values = {group: [counts[group], squares[group] ** 0.5, projections[group]] for group in counts}
    after = {name: tensor for name, (tensor, _) in changes.items()}
    return {
        **values,
        **{f"{name}/sha256": digest_tensors({name: tensor}) for name, tensor in after.items()},
    }


def _direction(name, count):
    # the legacy generator's stream is frozen for ever (NEP 19), torch's differs between CPUs
    return np.random.RandomState(crc32(name.encode())).standard_normal(count)
