"""95 % intervals: Wilson, bootstrap over cells and seeds, block jackknife, bootstrap over targets.

Randomness is a fixed part of each recipe: the same answers give the same interval.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

Z = 1.959963984540054
NUM_RESAMPLES = 2000
NUM_BLOCKS = 10
MIN_TARGETS = 5


class Interval(NamedTuple):
    """Two ends, in the unit of the value."""

    low: float
    high: float


def wilson(share: float, n: int) -> Interval:
    """Return the Wilson interval of a share in [0, 1] of ``n`` images.

    Source: Wilson 1927, JASA 22; z is the 97.5th percentile of the normal distribution.
    """
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return Interval(max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def bootstrap_cells_and_seeds(
    correct: Bool[np.ndarray, " n"] | Float[np.ndarray, " n"],
    cells: Sequence[Hashable],
    seeds: Sequence[int],
) -> Interval:
    """Return the percentile interval of a share when cells and seeds are both drawn again.

    The pigeonhole bootstrap: cells and seeds are resampled independently, and every resampled cell
    is read at every resampled seed. With one seed only the cells vary.

    Raises:
        ValueError: If not every cell has every seed exactly once.

    Source: Owen 2007, Annals of Applied Statistics 1(2).
    """
    rows = {cell: row for row, cell in enumerate(dict.fromkeys(cells))}
    columns = {seed: column for column, seed in enumerate(dict.fromkeys(seeds))}
    table = np.full((len(rows), len(columns)), np.nan)
    for value, cell, seed in zip(correct, cells, seeds, strict=True):
        table[rows[cell], columns[seed]] = value
    if np.isnan(table).any() or table.size != len(correct):
        raise ValueError("every cell needs exactly one image at every seed; some are missing")
    rng = np.random.default_rng(0)
    num_cells, num_seeds = table.shape
    cell_counts = rng.multinomial(num_cells, np.full(num_cells, 1 / num_cells), NUM_RESAMPLES)
    seed_counts = rng.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), NUM_RESAMPLES)
    shares = np.einsum("rc,cs,rs->r", cell_counts, table, seed_counts) / table.size
    low, high = np.quantile(shares, [0.025, 0.975])
    return Interval(float(low), float(high))


def block_jackknife(statistic: Callable[[np.ndarray], float], value: float, n: int) -> Interval:
    """Return value +- 1.96 standard errors, leaving out each of ten interleaved blocks of rows.

    A bootstrap of a Fréchet distance repeats rows and is biased upwards; leaving out is not.

    Args:
        statistic: Takes the indices of the rows that stay, [m].
        value: The statistic of all rows.
        n: Number of rows.

    Source: Shao & Tu 1995, The Jackknife and Bootstrap, section 2.3 (delete-d groups).
    """
    blocks = min(NUM_BLOCKS, n)
    block = np.arange(n) % blocks
    left_out = np.array([statistic(np.flatnonzero(block != index)) for index in range(blocks)])
    spread = (left_out - left_out.mean()) ** 2
    error = float(np.sqrt((blocks - 1) / blocks * spread.sum()))
    return Interval(value - Z * error, value + Z * error)


def bootstrap_targets(values: Float[np.ndarray, " target"]) -> Interval | None:
    """Return the percentile interval of a mean over targets, None below five targets.

    Targets are drawn again; the variance of the erasing seed is not in it.
    """
    if len(values) < MIN_TARGETS:
        return None
    rng = np.random.default_rng(0)
    draws = rng.integers(len(values), size=(NUM_RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return Interval(float(low), float(high))
