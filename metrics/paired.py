"""Two erasers on the same cells and seeds: distances of pairs, differences of scores, tests.

    difference = mean(a_i - b_i),  i over the same cells and seeds
    t = mean(d_c) / (sd(d_c) / sqrt(cells)),  with cells - 1 degrees of freedom

with d_c the mean difference in cell c. Images of one cell are correlated, so a test that treats
images as independent (McNemar's) rejects too often. The interval adds the squared distances to the
bounds of both proportions' intervals, less the covariance of the cells: near 0 or 100 % the spread
of the observed differences underestimates that of new cells. That of a difference of means is the
t interval of the cells' mean differences.

Source: Donner & Klar 2000, Design and Analysis of Cluster Randomization Trials, section 6.2, the
test; Newcombe 1998, Statistics in Medicine 17(22), method 10, the interval, here with the
intervals of :mod:`metrics.intervals` and the correlation of cells. Size: docs/intervals.md.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.special import stdtr

from metrics.intervals import Bounds, Interval, grid, mean_bounds, proportion_bounds
from metrics.per_image import PerImage


class Difference(NamedTuple):
    """The difference of two proportions or means over the same images.

    Attributes:
        value: First minus second; of proportions in [-1, 1].
        interval: Its 95 % interval.
        p_value: Of the null hypothesis of no difference; at least 2 to the power of 1 - cells, the
            smallest p-value of the sign-flip test over cells.
    """

    value: float
    interval: Interval
    p_value: float


def paired_scores(first: PerImage, second: PerImage) -> Difference:
    """Return the difference of two scores over the same images, in their unit.

    Args:
        first: Values of each image; of outcomes, the score is their percentage.
        second: The same of another model, images in the same order.

    Raises:
        ValueError: If not every cell has every seed exactly once.
    """
    compare = paired_difference if first.is_share else paired_mean_difference
    found = compare(first.values, second.values, cells=first.cells, seeds=first.seeds)
    if not first.is_share:
        return found
    low, high = found.interval
    return Difference(100 * found.value, Interval(100 * low, 100 * high), found.p_value)


def paired_mean_difference(
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " n"],
    *,
    cells: Sequence[Hashable],
    seeds: Sequence[int],
) -> Difference:
    """Return the difference of two means of a value per image, with the t interval over cells.

    Raises:
        ValueError: If not every cell has every seed exactly once, or there is a single cell.
    """
    tables = grid(first, cells, seeds), grid(second, cells, seeds)
    bounds = mean_bounds(tables[0] - tables[1])
    if bounds is None:
        raise ValueError("all images are of one cell; a paired interval needs two or more")
    return Difference(
        float(first.mean() - second.mean()), bounds.interval(), float(difference_p(*tables))
    )


def paired_difference(
    first: Bool[np.ndarray, " n"],
    second: Bool[np.ndarray, " n"],
    *,
    cells: Sequence[Hashable],
    seeds: Sequence[int],
) -> Difference:
    """Return the difference of two proportions over the same images.

    Raises:
        ValueError: If not every cell has every seed exactly once.
    """
    tables = grid(first, cells, seeds), grid(second, cells, seeds)
    return Difference(
        (int(first.sum()) - int(second.sum())) / len(first),
        difference_bounds(*tables).interval(),
        float(difference_p(*tables)),
    )


def difference_bounds(
    first: Float[np.ndarray, "*many cell seed"], second: Float[np.ndarray, "*many cell seed"]
) -> Bounds:
    """Return the interval of the difference of two proportions over the same cells and seeds."""
    proportions = [table.mean(axis=(-2, -1)) for table in (first, second)]
    one, two = proportion_bounds(first), proportion_bounds(second)
    deviations = [
        table.mean(axis=-1) - proportion[..., None]
        for table, proportion in zip((first, second), proportions, strict=True)
    ]
    squares = [np.square(part).sum(axis=-1) for part in deviations]
    products = (deviations[0] * deviations[1]).sum(axis=-1)
    scale = np.sqrt(squares[0] * squares[1])
    correlation = np.divide(products, scale, out=np.zeros_like(scale), where=scale > 0)

    value = proportions[0] - proportions[1]
    below, above = (
        np.sqrt(np.maximum(0.0, left**2 - 2 * correlation * left * right + right**2))
        for left, right in (
            (proportions[0] - one.low, two.high - proportions[1]),
            (one.high - proportions[0], proportions[1] - two.low),
        )
    )
    return Bounds(value - below, value + above)


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
