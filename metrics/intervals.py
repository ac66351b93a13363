"""95 % intervals of shares, means, distances and means over targets; coverage: docs/intervals.md.

Images of one cell are alike, so cells are what is drawn again: of an evaluation with other cells
and other noise. Every image has noise of its own, which a protocol hashes from seed and cell; where
a protocol shares noise between cells, the intervals are of its seeds alone. The variance of the
erasing seed is in none of them.

All functions take further axes in front, so that a simulation calls what results are made with.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.special import expit, logit, stdtrit

Z = 1.959963984540054
NUM_BLOCKS = 10
MIN_TARGETS = 5


class Interval(NamedTuple):
    """Two ends, in the unit of the value."""

    low: float
    high: float


class Ends(NamedTuple):
    """Both ends of many intervals."""

    low: Float[np.ndarray, "*many"]
    high: Float[np.ndarray, "*many"]

    def interval(self) -> Interval:
        """Return the only one."""
        return Interval(float(self.low), float(self.high))


def wilson(share: float, n: float) -> Interval:
    """Return the Wilson interval of a share in [0, 1] of ``n`` independent images.

    Source: Wilson 1927, JASA 22.
    """
    return _wilson(np.asarray(share), np.asarray(n), np.asarray(Z)).interval()


def _wilson(
    share: Shaped[np.ndarray, "*many"], n: Shaped[np.ndarray, "*many"], quantile: np.ndarray
) -> Ends:
    square = quantile**2
    center = (share + square / (2 * n)) / (1 + square / n)
    half = quantile / (1 + square / n) * np.sqrt(share * (1 - share) / n + square / (4 * n**2))
    return Ends(np.maximum(0.0, center - half), np.minimum(1.0, center + half))


def grid(
    values: Bool[np.ndarray, " n"] | Float[np.ndarray, " n"],
    cells: Sequence[Hashable],
    seeds: Sequence[int],
) -> Float[np.ndarray, "cell seed"]:
    """Return one number an image as a table.

    Raises:
        ValueError: If not every cell has every seed exactly once.
    """
    rows = {cell: row for row, cell in enumerate(dict.fromkeys(cells))}
    columns = {seed: column for column, seed in enumerate(dict.fromkeys(seeds))}
    table = np.full((len(rows), len(columns)), np.nan)
    for value, cell, seed in zip(values, cells, seeds, strict=True):
        table[rows[cell], columns[seed]] = value
    if np.isnan(table).any() or table.size != len(values):
        raise ValueError("every cell needs exactly one image at every seed; some are missing")
    return table


def share_ends(table: Float[np.ndarray, "*many cell seed"]) -> Ends:
    """Return the interval of a share in [0, 1] whose images fail by cells.

    Wilson's, with the number of independent images that gives the variance between cells, and
    Student's quantile of cells - 1. Never more images than there are; where there are as many, or
    all images agree, the variance is that of coin tosses and the quantile the normal one. If all
    agree, nothing says how alike the images of a cell are: each cell counts once.

    Source: Korn & Graubard 1998, Survey Methodology 24(2), the effective sample; Franco et al.
    2019, Journal of Survey Statistics and Methodology 7(3), with Wilson's interval.
    """
    num_cells, num_seeds = table.shape[-2:]
    share = np.asarray(table.mean(axis=(-2, -1)))
    agree = (share == 0) | (share == 1) | (num_cells == 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.square(table.mean(axis=-1) - share[..., None]).sum(axis=-1)
        effective = share * (1 - share) * num_cells * (num_cells - 1) / spread
    tosses = agree | (effective >= num_cells * num_seeds)
    effective = np.where(agree, num_cells, np.minimum(effective, num_cells * num_seeds))
    return _wilson(share, effective, np.where(tosses, Z, student(num_cells - 1)))


def mean_ends(table: Float[np.ndarray, "*many cell seed"]) -> Ends | None:
    """Return the t interval of a mean over images that are alike by cells; None of one cell."""
    num_cells = table.shape[-2]
    if num_cells < 2:
        return None
    by_cell = table.mean(axis=-1)
    mean = by_cell.mean(axis=-1)
    half = student(num_cells - 1) * by_cell.std(axis=-1, ddof=1) / np.sqrt(num_cells)
    return Ends(mean - half, mean + half)


def jackknife_cells(
    statistic: Callable[[np.ndarray], float], value: float, cells: Sequence[Hashable]
) -> Interval | None:
    """Return value +- t standard errors, leaving out each of ten blocks of whole cells.

    A bootstrap of a Fréchet distance repeats rows and is biased upwards; leaving out is not. Cells
    are put into blocks at random, once and for all: images of a cell are alike, and neighbors in
    the grid share a concept.

    Args:
        statistic: Takes the indices of the rows that stay, [m].
        value: The statistic of all rows.
        cells: The cell of each row; one alone has no interval.

    Source: Kott 2001, Journal of Official Statistics 17(4), the delete-a-group jackknife.
    """
    names = sorted(set(cells), key=str)
    blocks = min(NUM_BLOCKS, len(names))
    if blocks < 2:
        return None
    order = np.random.default_rng(0).permutation(len(names)) % blocks
    block_of = dict(zip(names, order, strict=True))
    block = np.array([block_of[cell] for cell in cells])
    left_out = np.array([statistic(np.flatnonzero(block != index)) for index in range(blocks)])
    spread = np.square(left_out - left_out.mean()).sum()
    half = float(student(blocks - 1) * np.sqrt((blocks - 1) / blocks * spread))
    return Interval(value - half, value + half)


def target_ends(values: Float[np.ndarray, "*many target"], *, percent: bool) -> Ends:
    """Return the interval of a mean over new targets of this kind.

    Student's, with targets - 1 degrees of freedom; of percentages on the scale of log odds, since
    few targets near 100 % hide the ones that fail.
    """
    count = values.shape[-1]
    mean = values.mean(axis=-1)
    half = student(count - 1) * values.std(axis=-1, ddof=1) / np.sqrt(count)
    if not percent:
        return Ends(mean - half, mean + half)
    share = mean / 100
    certain = (share <= 0) | (share >= 1)
    inside = np.where(certain, 0.5, share)
    middle, width = logit(inside), half / 100 / (inside * (1 - inside))
    return Ends(
        np.where(certain, mean, 100 * expit(middle - width)),
        np.where(certain, mean, 100 * expit(middle + width)),
    )


def average_ends(values: Float[np.ndarray, "*many target"], ends: Ends, *, shared: bool) -> Ends:
    """Return the interval of the mean over these targets, from the interval of each.

    Args:
        values: One a target.
        ends: Theirs.
        shared: Whether targets are measured on the same cells, whose errors then do not average
            out; otherwise they are independent.

    Source: Zou & Donner 2008, Statistics in Medicine 27(10), with correlation 1 or 0.
    """
    mean, count = values.mean(axis=-1), values.shape[-1]
    below, above = values - ends.low, ends.high - values
    if shared:
        return Ends(mean - below.mean(axis=-1), mean + above.mean(axis=-1))
    return Ends(
        mean - np.sqrt(np.square(below).sum(axis=-1)) / count,
        mean + np.sqrt(np.square(above).sum(axis=-1)) / count,
    )


def student(degrees: int) -> float:
    """Return the 97.5th percentile of Student's distribution."""
    return float(stdtrit(degrees, 0.975)) if degrees > 0 else Z
