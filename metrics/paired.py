"""Two erasers on the same images: distances of pairs, differences of shares and their tests.

    difference = mean(a_i - b_i),  i over the same cells and seeds
    t = mean(d_c) / (sd(d_c) / sqrt(cells)),  with cells - 1 degrees of freedom

with d_c the mean difference in cell c. Images of one cell are alike, so that a test which takes
every image for itself (McNemar's) finds differences where there are none. The interval adds up the
squared distances to the ends of both shares' intervals, less what the cells have in common: near 0
or 100 % the differences of the cells that were drawn say too little of others.

Source: Donner & Klar 2000, Design and Analysis of Cluster Randomization Trials, section 6.2, the
test; Newcombe 1998, Statistics in Medicine 17(22), method 10, the interval, here with the shares'
intervals of :mod:`metrics.intervals` and the correlation of cells. Size: docs/intervals.md.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.special import stdtr

from metrics.intervals import Ends, Interval, grid, share_ends


class Difference(NamedTuple):
    """How two shares of the same images differ.

    Attributes:
        value: First minus second, in [-1, 1].
        interval: Its 95 % interval.
        p_value: Of the hypothesis that there is no difference; never below 2 to the power of 1 -
            the number of cells, what an exchange of the names in every cell would give.
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
    tables = grid(first, cells, seeds), grid(second, cells, seeds)
    return Difference(
        (int(first.sum()) - int(second.sum())) / len(first),
        difference_ends(*tables).interval(),
        float(difference_p(*tables)),
    )


def difference_ends(
    first: Float[np.ndarray, "*many cell seed"], second: Float[np.ndarray, "*many cell seed"]
) -> Ends:
    """Return the interval of the difference of two shares over the same cells and seeds."""
    shares = [table.mean(axis=(-2, -1)) for table in (first, second)]
    one, two = share_ends(first), share_ends(second)
    apart = [
        table.mean(axis=-1) - share[..., None]
        for table, share in zip((first, second), shares, strict=True)
    ]
    squares = [np.square(part).sum(axis=-1) for part in apart]
    together = (apart[0] * apart[1]).sum(axis=-1)
    scale = np.sqrt(squares[0] * squares[1])
    alike = np.divide(together, scale, out=np.zeros_like(scale), where=scale > 0)

    value = shares[0] - shares[1]
    below, above = (
        np.sqrt(np.maximum(0.0, left**2 - 2 * alike * left * right + right**2))
        for left, right in (
            (shares[0] - one.low, two.high - shares[1]),
            (one.high - shares[0], shares[1] - two.low),
        )
    )
    return Ends(value - below, value + above)


def difference_p(
    first: Float[np.ndarray, "*many cell seed"], second: Float[np.ndarray, "*many cell seed"]
) -> Float[np.ndarray, "*many"]:
    """Return the two-sided p-value of the t test over cells; 1 where nothing differs."""
    change = first.mean(axis=-1) - second.mean(axis=-1)
    num_cells = change.shape[-1]
    mean = np.abs(change.mean(axis=-1))
    if num_cells < 2:
        return np.ones(change.shape[:-1])
    error = change.std(axis=-1, ddof=1) / np.sqrt(num_cells)
    t = np.divide(mean, error, out=np.where(mean > 0, np.inf, 0.0), where=error > 0)
    least = np.where(t > 0, 0.5 ** (num_cells - 1), 0.0)
    return np.asarray(np.maximum(2 * stdtr(num_cells - 1, -t), least))


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
    return np.clip(1 - products / scale, 0.0, 2.0)  # rounding may leave it
