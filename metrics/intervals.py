"""95 % intervals of proportions, means, distances and means over targets.

Images of one cell are correlated, so the sampling unit is the cell: an interval is about an
evaluation with other cells and other noise. Every image has noise of its own, which a protocol
hashes from seed and cell; where a protocol shares noise between cells, the intervals are about its
seeds alone. No interval includes the variance of the erasing seed. Coverage: docs/intervals.md.

All functions take leading batch axes, so that the simulation calls the functions that results are
computed with.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.special import expit, logit, ndtri, stdtrit

Z = float(ndtri(0.975))
NUM_BLOCKS = 10
MIN_TARGETS = 5


class Interval(NamedTuple):
    """Lower and upper bound, in the unit of the value."""

    low: float
    high: float


class Bounds(NamedTuple):
    """Lower and upper bounds of many intervals."""

    low: Float[np.ndarray, "*many"]
    high: Float[np.ndarray, "*many"]

    def interval(self) -> Interval:
        """Return the single interval."""
        return Interval(float(self.low), float(self.high))


def wilson(proportion: float, n: float) -> Interval:
    """Return the Wilson interval of a proportion in [0, 1] of ``n`` independent images.

    Source: Wilson 1927, JASA 22.
    """
    return _wilson(np.asarray(proportion), np.asarray(n), np.asarray(Z)).interval()


def _wilson(
    proportion: Shaped[np.ndarray, "*many"], n: Shaped[np.ndarray, "*many"], quantile: np.ndarray
) -> Bounds:
    """In closed form: scipy's binomtest takes neither a fractional n nor a Student's quantile."""
    square = quantile**2
    center = (proportion + square / (2 * n)) / (1 + square / n)
    variance = proportion * (1 - proportion) / n + square / (4 * n**2)
    half = quantile / (1 + square / n) * np.sqrt(variance)
    return Bounds(np.maximum(0.0, center - half), np.minimum(1.0, center + half))


def grid(
    values: Bool[np.ndarray, " n"] | Float[np.ndarray, " n"],
    cells: Sequence[Hashable],
    seeds: Sequence[int],
) -> Float[np.ndarray, "cell seed"]:
    """Return one value per image as a table of cells and seeds.

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


def proportion_bounds(table: Float[np.ndarray, "*many cell seed"]) -> Bounds:
    """Return the interval of a proportion in [0, 1] whose images are correlated within cells.

    Wilson's interval at the effective sample size, which follows from the variance between cells,
    with Student's quantile at cells - 1 degrees of freedom. The effective size is at most the
    number of images; where it is that number, or all images agree, the variance is binomial and the
    quantile normal. If all images agree, the correlation within cells is unknown: each cell counts
    once.

    Source: Korn & Graubard 1998, Survey Methodology 24(2), the effective sample; Franco et al.
    2019, Journal of Survey Statistics and Methodology 7(3), with Wilson's interval.
    """
    num_cells, num_seeds = table.shape[-2:]
    proportion = np.asarray(table.mean(axis=(-2, -1)))
    agree = (proportion == 0) | (proportion == 1) | (num_cells == 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.square(table.mean(axis=-1) - proportion[..., None]).sum(axis=-1)
        effective = proportion * (1 - proportion) * num_cells * (num_cells - 1) / spread
    binomial = agree | (effective >= num_cells * num_seeds)
    effective = np.where(agree, num_cells, np.minimum(effective, num_cells * num_seeds))
    return _wilson(proportion, effective, np.where(binomial, Z, student(num_cells - 1)))


def mean_bounds(table: Float[np.ndarray, "*many cell seed"]) -> Bounds | None:
    """Return the t interval of a mean over cells; None for a single cell."""
    num_cells = table.shape[-2]
    if num_cells < 2:
        return None
    by_cell = table.mean(axis=-1)
    mean = by_cell.mean(axis=-1)
    half = student(num_cells - 1) * by_cell.std(axis=-1, ddof=1) / np.sqrt(num_cells)
    return Bounds(mean - half, mean + half)


def jackknife_cells(
    statistic: Callable[[np.ndarray], float], value: float, cells: Sequence[Hashable]
) -> Interval | None:
    """Return value +- t standard errors, leaving out each of ten blocks of whole cells.

    A bootstrap of a Fréchet distance repeats rows and is biased upwards; a jackknife is not. Cells
    are assigned to blocks at random with a fixed seed: images of a cell are correlated, and
    neighbors in the grid share a concept.

    Args:
        statistic: Takes the indices of the rows that are kept, [m].
        value: The statistic of all rows.
        cells: The cell of each row; a single cell has no interval.

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


def target_bounds(values: Float[np.ndarray, "*many target"], *, percent: bool) -> Bounds:
    """Return the interval of a mean over new targets of this kind.

    Student's t with targets - 1 degrees of freedom; for percentages on the scale of log odds, since
    the failures are rare among few targets near 100 %.
    """
    count = values.shape[-1]
    mean = values.mean(axis=-1)
    half = student(count - 1) * values.std(axis=-1, ddof=1) / np.sqrt(count)
    if not percent:
        return Bounds(mean - half, mean + half)
    proportion = mean / 100
    certain = (proportion <= 0) | (proportion >= 1)
    inside = np.where(certain, 0.5, proportion)
    middle, width = logit(inside), half / 100 / (inside * (1 - inside))
    return Bounds(
        np.where(certain, mean, 100 * expit(middle - width)),
        np.where(certain, mean, 100 * expit(middle + width)),
    )


def average_bounds(
    values: Float[np.ndarray, "*many target"], bounds: Bounds, *, shared: bool
) -> Bounds:
    """Return the interval of the mean over exactly these targets, from the interval of each.

    Args:
        values: One per target.
        bounds: Interval of each value.
        shared: Whether targets are measured on the same cells, whose errors then do not average
            out; otherwise they are independent.

    Source: Zou & Donner 2008, Statistics in Medicine 27(10), with correlation 1 or 0.
    """
    mean, count = values.mean(axis=-1), values.shape[-1]
    below, above = values - bounds.low, bounds.high - values
    if shared:
        return Bounds(mean - below.mean(axis=-1), mean + above.mean(axis=-1))
    return Bounds(
        mean - np.sqrt(np.square(below).sum(axis=-1)) / count,
        mean + np.sqrt(np.square(above).sum(axis=-1)) / count,
    )


def student(degrees: int) -> float:
    """Return the 97.5th percentile of Student's distribution."""
    return float(stdtrit(degrees, 0.975)) if degrees > 0 else Z
