"""Two erasers on the same images: distances of pairs, differences of shares and their tests.

    difference = mean(a_i - b_i),  i over the same cells and seeds
    p = exact two-sided binomial test of the pairs that differ (McNemar)

Source: McNemar 1947, Psychometrika 12(2), exact version; the interval is the pigeonhole bootstrap
of :mod:`metrics.intervals`.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.stats import binomtest

from metrics.intervals import Interval, bootstrap_cells_and_seeds


class Difference(NamedTuple):
    """How two shares of the same images differ.

    Attributes:
        value: First minus second, in [-1, 1].
        interval: Its 95 % interval.
        p_value: Of the hypothesis that there is no difference.
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
    only_first = int((first & ~second).sum())
    differing = int((first != second).sum())
    p_value = 1.0 if differing == 0 else float(binomtest(only_first, differing).pvalue)
    change = first.astype(np.float64) - second.astype(np.float64)
    interval = bootstrap_cells_and_seeds(change, cells, seeds)
    return Difference(float(change.mean()), interval, p_value)


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
