"""Which of several erasers differ in one measure: pairs, ranks and groups.

    mean_r = mean over targets t of mean over cells c of t of v[r, t, c]
    d_ij = mean_i - mean_j
    unadjusted interval of d_ij = the 2.5th and 97.5th percentile of d*_ij, widened by s(z) / z
    simultaneous interval of d_ij = d_ij +- s(q) sd(d*_ij)
    q = the 95th percentile of max over pairs ij of |d*_ij - d_ij| / sd(d*_ij)

with v the mean over seeds of a value per image, and d* the difference in one of 2,000 bootstrap
draws, which all erasers share; z is the normal quantile 1.96, and s(x) the quantile of Student's
distribution at the level of the normal quantile x, with cells - strata degrees of freedom. The
sampling unit is a cell with all its images: those of every seed, and of every target that it is
measured for. Cells are drawn with replacement within strata of cells that are measured for the same
targets, one cell fewer than there are, which makes the variance unbiased; where a stratum has a
single cell, all cells are one stratum. A pair is told apart if its interval excludes 0.
How often the simultaneous intervals of five equal erasers all cover: docs/intervals.md.

Ranks: 1 + the number of erasers that are better, up to n - the number that are worse, by the
simultaneous intervals; they hold for all erasers together. Groups: the largest sets in which no
pair is told apart, a letter each; two erasers share a letter if and only if they cannot be told
apart. Letters that are redundant are kept, so that a group is whole.

Source: Romano & Wolf 2005, Econometrica 73(4), the maximum of studentized differences (its single
step); McCarthy & Snowden 1985, Vital and Health Statistics 2(95), n - 1 of n drawn in a stratum;
Mogstad, Romano, Shaikh & Wilhelm 2024, Review of Economic Studies 91(1), the ranks; Piepho 2004,
Journal of Computational and Graphical Statistics 13(2), the letters, by insert and absorb.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from string import ascii_letters
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, stdtrit

from metrics.intervals import Interval, Z

NUM_DRAWS = 2000
LEAST_CELLS = 6
"""Of five cells that all differ in one direction, one evaluation in sixteen comes by chance."""
ROUNDING = 1e-9
"""Spread, relative to the differences, below which all draws are the same."""


class Pair(NamedTuple):
    """Two rows, and their difference.

    Attributes:
        first: Index of one row.
        second: Index of the other.
        difference: Mean of the first minus mean of the second.
        unadjusted: Its 95 % interval, for this pair alone.
        simultaneous: Its interval among those of all pairs, which hold together in 95 %.
    """

    first: int
    second: int
    difference: float
    unadjusted: Interval
    simultaneous: Interval

    @property
    def apart_unadjusted(self) -> bool:
        """Whether they are told apart if no other pair is looked at."""
        return excludes_zero(self.unadjusted)

    @property
    def apart(self) -> bool:
        """Whether they are told apart among all pairs."""
        return excludes_zero(self.simultaneous)


class RankInterval(NamedTuple):
    """The ranks that an eraser may have; 1 is the best."""

    best: int
    worst: int


@final
@dataclass(frozen=True, kw_only=True)
class Separation:
    """Which rows differ in one measure.

    Attributes:
        means: One for each row.
        pairs: Every two rows.
        higher_is_better: Direction of the measure.
    """

    means: tuple[float, ...]
    pairs: tuple[Pair, ...]
    higher_is_better: bool

    @property
    def order(self) -> list[int]:
        """The rows, the best mean first."""
        sign = -1 if self.higher_is_better else 1
        return sorted(range(len(self.means)), key=lambda row: sign * self.means[row])

    def ranks(self) -> list[RankInterval]:
        """Return the ranks that each row may have."""
        better, worse = Counter[int](), Counter[int]()
        for pair in self.pairs:
            if pair.apart:
                ends = (pair.first, pair.second)
                winner, loser = (
                    ends if (pair.difference > 0) == self.higher_is_better else ends[::-1]
                )
                better[loser] += 1
                worse[winner] += 1
        count = len(self.means)
        return [RankInterval(1 + better[row], count - worse[row]) for row in range(count)]

    def groups(self) -> list[list[int]]:
        """Return the largest sets of rows that cannot be told apart, best rows first."""
        apart = [(pair.first, pair.second) for pair in self.pairs if pair.apart]
        place = {row: place for place, row in enumerate(self.order)}
        found = [sorted(group, key=place.__getitem__) for group in alike(len(self.means), apart)]
        return sorted(found, key=lambda group: [place[row] for row in group])

    def letters(self) -> list[str]:
        """Return the letters of each row: one for each of its groups, ``a`` for the best."""
        groups = self.groups()
        return [
            "".join(
                letter for letter, group in zip(ascii_letters, groups, strict=False) if row in group
            )
            for row in range(len(self.means))
        ]


def separate(
    values: Float[np.ndarray, "row measured"],
    *,
    targets: Sequence[Hashable],
    cells: Sequence[Hashable],
    higher_is_better: bool,
) -> Separation:
    """Return which rows differ, from their values on the same cells.

    Args:
        values: The mean over seeds, for every target and cell that it is measured for.
        targets: Target of each column.
        cells: Cell of each column.
        higher_is_better: Direction.

    Raises:
        ValueError: If there are fewer than :data:`LEAST_CELLS` cells.
    """
    if len(set(cells)) < LEAST_CELLS:
        raise ValueError(
            f"cells are drawn again, so at least {LEAST_CELLS} are needed, got {len(set(cells))}"
        )
    shares, strata = _clusters(values, targets, cells)
    first, second = np.triu_indices(len(values), k=1)
    change = shares[first] - shares[second]
    difference = change.sum(axis=1)
    drawn = _draws(change, strata)
    degrees = shares.shape[1] - len(strata)
    widened = as_student(Z, degrees) / Z
    unadjusted = difference + widened * (np.quantile(drawn, (0.025, 0.975), axis=0) - difference)
    error = drawn.std(axis=0)
    error[error < ROUNDING * np.abs(difference)] = 0.0
    away = np.abs(drawn - difference)
    t = np.divide(away, error, out=np.zeros_like(away), where=error > 0)
    half = as_student(float(np.quantile(t.max(axis=1), 0.95)), degrees) * error
    return Separation(
        means=tuple(shares.sum(axis=1).tolist()),
        pairs=tuple(
            Pair(one, two, value, Interval(low, high), Interval(value - width, value + width))
            for one, two, value, low, high, width in zip(
                *(found.tolist() for found in (first, second, difference, *unadjusted, half)),
                strict=True,
            )
        ),
        higher_is_better=higher_is_better,
    )


def alike(count: int, apart: Iterable[tuple[int, int]]) -> list[frozenset[int]]:
    """Return the largest sets of ``count`` rows that hold no pair of ``apart``."""
    found = [frozenset(range(count))]
    for pair in apart:
        parts = [
            part
            for group in found
            for part in ([group - {row} for row in pair] if group.issuperset(pair) else [group])
        ]
        distinct = list(dict.fromkeys(parts))
        found = [part for part in distinct if not any(part < other for other in distinct)]
    return found


def as_student(quantile: float, degrees: int) -> float:
    """Return the quantile of Student's distribution at the level of a normal quantile."""
    return float(-stdtrit(degrees, ndtr(-quantile)))


def excludes_zero(interval: Interval) -> bool:
    """Whether an interval of a difference says that there is one."""
    return interval.low > 0 or interval.high < 0


def _clusters(
    values: Float[np.ndarray, "row measured"],
    targets: Sequence[Hashable],
    cells: Sequence[Hashable],
) -> tuple[Float[np.ndarray, "row cell"], list[list[int]]]:
    """What each cell adds to the mean of each row, and the strata of the cells."""
    sizes = Counter(targets)
    measured_for = defaultdict(set)
    for target, cell in zip(targets, cells, strict=True):
        measured_for[cell].add(target)
    names = sorted(measured_for, key=str)
    column = {cell: place for place, cell in enumerate(names)}
    shares = np.zeros((len(values), len(names)))
    for value, target, cell in zip(values.T, targets, cells, strict=True):
        shares[:, column[cell]] += value / (sizes[target] * len(sizes))
    strata = defaultdict(list)
    for cell in names:
        strata[frozenset(measured_for[cell])].append(column[cell])
    if min(map(len, strata.values())) == 1:
        return shares, [list(column.values())]
    return shares, list(strata.values())


def _draws(
    change: Float[np.ndarray, "pair cell"], strata: Sequence[Sequence[int]]
) -> Float[np.ndarray, "draw pair"]:
    """The differences in every bootstrap draw."""
    rng = np.random.default_rng(0)
    drawn = np.zeros((NUM_DRAWS, len(change)))
    for columns in strata:
        size = len(columns)
        counts = rng.multinomial(size - 1, np.full(size, 1 / size), size=NUM_DRAWS)
        drawn += counts @ change[:, columns].T * (size / (size - 1))
    return drawn
