"""Rejected intervals, whose coverage the page compares with that of those in use."""

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from metrics.intervals import Bounds

RESAMPLES = 500


def two_way(table: Float[np.ndarray, "many cell seed"]) -> Bounds:
    """Return Wilson's intervals with the variance between cells and between seeds.

    Source: Owen 2007, Annals of Applied Statistics 1(2), the variance components; Satterthwaite
    1946, Biometrics Bulletin 2, their degrees of freedom.
    """
    _, num_cells, num_seeds = table.shape
    share, by_cell, by_seed = table.mean(axis=(1, 2)), table.mean(axis=2), table.mean(axis=1)
    total, degrees = share[:, None], (num_cells - 1) * (num_seeds - 1)
    cells = num_seeds * np.square(by_cell - total).sum(axis=1) / (num_cells - 1)
    seeds = num_cells * np.square(by_seed - total).sum(axis=1) / (num_seeds - 1)
    rest = table - by_cell[:, :, None] - by_seed[:, None] + share[:, None, None]
    error = np.square(rest).sum(axis=(1, 2)) / degrees
    extra = np.maximum(0.0, seeds - error)
    spread = (cells + extra) / table[0].size
    noise = np.where(extra > 0, seeds**2 / (num_seeds - 1) + error**2 / degrees, 0.0)
    agree = (share == 0) | (share == 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = (cells + extra) ** 2 / (cells**2 / (num_cells - 1) + noise)
        n = np.where(agree, num_cells, np.minimum(share * (1 - share) / spread, table[0].size))
    t = stdtrit(np.where(np.isfinite(freedom), np.maximum(freedom, 1), num_cells - 1), 0.975)
    middle = (share + t**2 / (2 * n)) / (1 + t**2 / n)
    half = t / (1 + t**2 / n) * np.sqrt(share * (1 - share) / n + t**2 / (4 * n**2))
    return Bounds(middle - half, middle + half)


def bootstrap_t(values: Float[np.ndarray, "many target"]) -> Bounds:
    """Return studentized bootstrap intervals of the mean.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 12.
    """
    count = values.shape[1]
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(count)
    means = values @ draws.T / count
    squares = np.square(values - mean[:, None]) @ draws.T / count
    spread = squares - np.square(means - mean[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (means - mean[:, None]) / np.sqrt(spread / (count - 1))
    t[spread <= 1e-9 * np.square(error)[:, None]] = np.nan
    low, high = np.nanquantile(t, [0.025, 0.975], axis=1)
    return Bounds(mean - high * error, mean - low * error)
