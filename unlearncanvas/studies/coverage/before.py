"""The intervals of versions before 0.6, as they were, for comparison with the present ones.

Pigeonhole bootstrap of cells and seeds, Wilson's at 0 and 100 %; percentile bootstrap over targets;
jackknife over rows modulo ten; sign flips. They keep their own random draws: those of scipy's
``bootstrap`` and ``permutation_test`` differ, and with them the published percentages.
"""

import itertools

import numpy as np
from jaxtyping import Float

from metrics.intervals import Bounds, Z, wilson

RESAMPLES = 1000


def bootstrap_share(table: Float[np.ndarray, "many cell seed"]) -> Bounds:
    """Return percentile intervals over resampled cells and seeds."""
    many, num_cells, num_seeds = table.shape
    rng = np.random.default_rng(0)
    cells = rng.multinomial(num_cells, np.full(num_cells, 1 / num_cells), RESAMPLES)
    seeds = rng.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), RESAMPLES)
    shares = np.zeros((many, RESAMPLES))
    for seed in range(num_seeds):
        shares += (table[:, :, seed] @ cells.T) * seeds[:, seed]
    low, high = np.quantile(shares / (num_cells * num_seeds), [0.025, 0.975], axis=1)
    share = table.mean(axis=(1, 2))
    for value in (0.0, 1.0):
        interval = wilson(value, num_cells * num_seeds)
        low = np.where(share == value, interval.low, low)
        high = np.where(share == value, interval.high, high)
    return Bounds(low, high)


def bootstrap_targets(values: Float[np.ndarray, "many target"]) -> Bounds:
    """Return percentile intervals of the mean over resampled targets."""
    count = values.shape[1]
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    low, high = np.quantile(values @ draws.T / count, [0.025, 0.975], axis=1)
    return Bounds(low, high)


def jackknife(left_out: Float[np.ndarray, " block"], value: float) -> Bounds:
    """Return value +- 1.96 standard errors."""
    blocks = len(left_out)
    error = np.sqrt((blocks - 1) / blocks * np.square(left_out - left_out.mean()).sum())
    return Bounds(value - Z * error, value + Z * error)


def sign_flip(change: Float[np.ndarray, "many cell"]) -> Float[np.ndarray, " many"]:
    """Return p-values of sums under exchanges of sign; all signs of ten cells, else 2,000."""
    num_cells = change.shape[1]
    signs = (
        np.array(list(itertools.product((-1.0, 1.0), repeat=num_cells)))
        if num_cells <= 10
        else np.random.default_rng(0).choice((-1.0, 1.0), size=(2000, num_cells))
    )
    further = np.abs(change @ signs.T) >= np.abs(change.sum(axis=1, keepdims=True)) - 1e-9
    return further.mean(axis=1)
