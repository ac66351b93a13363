"""Two erasers on the same images: distances of pairs, differences of shares and their tests.

    difference = mean(a_i - b_i),  i over the same cells and seeds
    p = share of the signs s in {-1, 1}^cells with |sum_c s_c d_c| >= |sum_c d_c|

with d_c the sum of the differences in cell c: if there were no difference, the erasers' names could
be exchanged in any cell. Images of one cell are alike, so that a test which takes every image for
itself (McNemar's) finds differences where there are none.

Source: Gail et al. 1996, Statistics in Medicine 15(11), permutation of clusters; the interval is
the pigeonhole bootstrap of :mod:`metrics.intervals`.
"""

import itertools
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped

from metrics.intervals import Interval, bootstrap_cells_and_seeds

EXACT = 12
"""Cells that differ, up to which all signs are tried."""
DRAWS = 20_000
"""Random signs where there are more."""
TIE = 1e-9


class Difference(NamedTuple):
    """How two shares of the same images differ.

    Attributes:
        value: First minus second, in [-1, 1].
        interval: Its 95 % interval.
        p_value: Of the hypothesis that there is no difference; never below 2 to the power of 1 -
            the number of cells that differ.
    """

    value: float
    interval: Interval
    p_value: float


def paired_difference(
    first: Bool[np.ndarray, " n"],
    second: Bool[np.ndarray, " n"],
    *,
    cells: Sequence[Hashable],
    seeds: Sequence[int],
) -> Difference:
    """Return the difference of two shares over the same images.

    Raises:
        ValueError: If not every cell has every seed exactly once.
    """
    change = first.astype(np.float64) - second.astype(np.float64)
    interval = bootstrap_cells_and_seeds(change, cells, seeds)
    by_cell: dict[Hashable, float] = defaultdict(float)
    for cell, one in zip(cells, change, strict=True):
        by_cell[cell] += one
    return Difference(float(change.mean()), interval, sign_flip(np.array([*by_cell.values()])))


def sign_flip(sums: Float[np.ndarray, " cell"]) -> float:
    """Return the p-value of a sum under exchanges of sign, exact for up to ``EXACT`` cells."""
    differing = sums[sums != 0]
    if len(differing) <= EXACT:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(differing))))
        at_least_as_far = np.abs(signs @ differing) >= abs(differing.sum()) - TIE
        return float(at_least_as_far.mean())
    signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(DRAWS, len(differing)))
    further = int((np.abs(signs @ differing) >= abs(differing.sum()) - TIE).sum())
    return (1 + further) / (1 + DRAWS)


def pixel_distance(
    first: Shaped[np.ndarray, "n h w 3"], second: Shaped[np.ndarray, "n h w 3"]
) -> Float[np.ndarray, " n"]:
    """Return the root mean square difference of each pair of images, in units of the full range."""
    change = (first.astype(np.float64) - second.astype(np.float64)) / 255
    return np.sqrt(np.square(change).mean(axis=(1, 2, 3)))


def feature_distance(
    first: Float[np.ndarray, "n feature"], second: Float[np.ndarray, "n feature"]
) -> Float[np.ndarray, " n"]:
    """Return one minus the cosine of each pair of features, in [0, 2]."""
    products = (first * second).sum(axis=1)
    scale = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return 1 - products / scale
