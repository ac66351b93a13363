"""Which erasers differ: intervals of differences, ranks and groups."""

import numpy as np
import pytest

from metrics.intervals import Interval
from metrics.separation import Pair, Separation, alike, separate

PIEPHO = [(1, 7), (1, 8), (2, 4), (2, 5), (3, 5)]
"""Example 3 of Piepho 2004: the pairs of eight treatments that are told apart."""


def separate_rows(rows, *, targets=None, cells=None, higher_is_better=True):
    values = np.array(rows, dtype=float)
    count = values.shape[1]
    return separate(
        values,
        targets=["style:Mosaic"] * count if targets is None else targets,
        cells=list(range(count)) if cells is None else cells,
        higher_is_better=higher_is_better,
    )


def half_widths(found):
    return [(pair.simultaneous.high - pair.simultaneous.low) / 2 for pair in found.pairs]


def made(means, apart, *, higher_is_better=True):
    """A separation that tells some pairs apart."""
    pairs = []
    for first in range(len(means)):
        for second in range(first + 1, len(means)):
            change = means[first] - means[second]
            half = abs(change) / 2 if (first, second) in apart else abs(change) * 2
            interval = Interval(change - half, change + half)
            pairs.append(Pair(first, second, change, interval, interval))
    return Separation(means=tuple(means), pairs=tuple(pairs), higher_is_better=higher_is_better)


def test_equal_erasers_are_never_told_apart():
    rng = np.random.default_rng(1)
    one, other = rng.normal(50, 10, (2, 40))
    found = separate_rows([one, one, other + 30])
    same, *rest = found.pairs
    assert same.difference == 0
    assert same.unadjusted == same.simultaneous == Interval(0, 0)
    assert not same.apart
    assert not same.apart_unadjusted
    assert [pair.apart for pair in rest] == [True, True]
    assert found.letters() == ["b", "b", "a"]


def test_a_single_pair_has_the_normal_interval_of_a_mean_difference():
    change = np.random.default_rng(2).normal(3, 10, 400)
    (pair,) = separate_rows([change, np.zeros(400)]).pairs
    error = change.std(ddof=1) / np.sqrt(400)
    assert pair.difference == pytest.approx(change.mean())
    for interval in (pair.unadjusted, pair.simultaneous):
        assert interval.low == pytest.approx(change.mean() - 1.96 * error, abs=0.1 * error)
        assert interval.high == pytest.approx(change.mean() + 1.96 * error, abs=0.1 * error)


def test_of_few_cells_the_variance_is_not_underestimated():
    rng = np.random.default_rng(3)
    rows = ([rng.normal(size=10), np.zeros(10)] for _ in range(800))
    halves = [half_widths(separate_rows(pair))[0] for pair in rows]
    true = 2.262 / np.sqrt(10)  # Student's quantile of nine degrees of freedom
    ratio = np.sqrt(np.mean(np.square(halves))) / true  # 0.95 if 10 of 10 cells were drawn
    assert 0.975 < ratio < 1.025


def test_more_pairs_have_wider_simultaneous_intervals_and_the_same_unadjusted_ones():
    rows = np.random.default_rng(4).normal(size=(6, 60))
    few, many = separate_rows(rows[:2]), separate_rows(rows)
    assert many.pairs[0].unadjusted == pytest.approx(few.pairs[0].unadjusted)
    ratio = half_widths(many)[0] / half_widths(few)[0]
    assert 1.35 < ratio < 1.6  # studentized range of six: 4.03 / sqrt(2) = 2.85, over 1.96


def test_what_differs_between_targets_is_no_error():
    targets = ["a"] * 5 + ["b"] * 5
    (pair,) = separate_rows([[1.0] * 5 + [9.0] * 5, [0.0] * 10], targets=targets).pairs
    assert pair.difference == 5
    assert pair.simultaneous.low == pytest.approx(5)
    assert pair.apart


def test_every_target_counts_once_however_many_cells_it_has():
    targets = ["a"] * 2 + ["b"] * 8
    found = separate_rows([[1.0] * 2 + [0.0] * 8, [0.0] * 10], targets=targets)
    assert found.means == (pytest.approx(0.5), 0)


def test_a_cell_that_several_targets_share_is_drawn_with_all_of_them():
    change = np.random.default_rng(5).normal(size=30)
    alone = separate_rows([change, np.zeros(30)])
    both = separate_rows(
        [[*change, *change], np.zeros(60)],
        targets=["a"] * 30 + ["b"] * 30,
        cells=[*range(30), *range(30)],
    )
    assert half_widths(both) == pytest.approx(half_widths(alone))


def test_cells_are_drawn_among_those_of_the_same_targets():
    targets, cells = ["a"] * 10 + ["b"] * 10, [*range(10), *range(5, 15)]
    change = [1.0] * 5 + [2.0] * 10 + [3.0] * 5
    (pair,) = separate_rows([change, [0.0] * 20], targets=targets, cells=cells).pairs
    assert pair.simultaneous == pytest.approx((2, 2))


def test_a_stratum_of_one_cell_joins_the_others():
    targets = ["a", *["b"] * 6]
    change = [5.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0]
    (pair,) = separate_rows([change, [0.0] * 7], targets=targets).pairs
    assert pair.simultaneous.high - pair.simultaneous.low > 2


@pytest.mark.parametrize("cells", [1, 5])
def test_few_cells_say_nothing(cells):
    names = [number % cells for number in range(12)]
    with pytest.raises(ValueError, match=f"at least 6 are needed, got {cells}"):
        separate_rows([[1.0] * 12, [0.0] * 12], cells=names)


@pytest.mark.parametrize("cells", [6, 10, 30])
def test_equal_erasers_of_few_cells_are_seldom_told_apart(cells):
    """Of 300 evaluations, 5 % wanted; without Student's quantile 19 % at ten cells."""
    rng = np.random.default_rng(cells)
    found = [separate_rows(rng.normal(size=(5, cells))) for _ in range(300)]
    wrong = np.mean([any(pair.apart for pair in one.pairs) for one in found])
    assert 0.02 <= wrong <= 0.12
    alone = np.mean([pair.apart_unadjusted for one in found for pair in one.pairs])
    assert 0.03 <= alone <= 0.075


def test_simultaneous_intervals_hold_together_in_95_percent_of_evaluations():
    rng = np.random.default_rng(6)
    truth = np.array([0.0, 0.0, 0.0, 1.0, 2.0])[:, None]
    together = alone = 0
    for _ in range(120):
        shared = rng.normal(size=60)
        found = separate_rows(truth + shared + rng.normal(size=(5, 60)))
        true = [truth[pair.first, 0] - truth[pair.second, 0] for pair in found.pairs]
        ends = list(zip(found.pairs, true, strict=True))
        together += all(p.simultaneous.low <= t <= p.simultaneous.high for p, t in ends)
        alone += all(p.unadjusted.low <= t <= p.unadjusted.high for p, t in ends)
    assert 0.89 < together / 120 < 0.99
    assert alone / 120 < 0.8


def test_a_difference_that_is_the_same_in_all_cells_does_not_widen_the_others():
    rows = np.random.default_rng(7).normal(size=(2, 30))
    targets = ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    plain = half_widths(separate_rows(rows, targets=targets))[0]
    found = separate_rows([*rows, [100.0] * 30, [0.0] * 30], targets=targets)
    assert half_widths(found)[0] < 1.6 * plain  # 3.5 if rounding counted as spread
    assert found.pairs[-1].simultaneous == pytest.approx((100, 100))


def test_the_order_of_erasers_and_of_cells_does_not_matter():
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(4, 24)) + np.array([[0.0], [0.6], [0.7], [2.0]])
    targets, cells = ["a"] * 12 + ["b"] * 12, [f"cell {index}" for index in range(24)]
    found = separate_rows(rows, targets=targets, cells=cells)
    order, places = [2, 0, 3, 1], rng.permutation(24)
    other = separate_rows(
        rows[order][:, places],
        targets=[targets[place] for place in places],
        cells=[cells[place] for place in places],
    )
    assert other.letters() == [found.letters()[row] for row in order]
    assert other.ranks() == [found.ranks()[row] for row in order]
    ends = {}
    for one in found.pairs:
        ends[one.first, one.second] = one.simultaneous
        ends[one.second, one.first] = Interval(-one.simultaneous.high, -one.simultaneous.low)
    for pair in other.pairs:
        assert pair.simultaneous == pytest.approx(ends[order[pair.first], order[pair.second]])


def test_ranks_count_those_that_are_better_and_those_that_are_worse():
    apart = {(0, 2), (0, 3), (1, 3)}
    assert made([9.0, 7.0, 5.0, 3.0], apart).ranks() == [(1, 2), (1, 3), (2, 4), (3, 4)]
    lower = made([9.0, 7.0, 5.0, 3.0], apart, higher_is_better=False)
    assert lower.ranks() == [(3, 4), (2, 4), (1, 3), (1, 2)]
    assert lower.order == [3, 2, 1, 0]


def test_neighbors_that_overlap_share_letters():
    apart = {(0, 2), (0, 3), (1, 3)}
    assert made([9.0, 7.0, 5.0, 3.0], apart).letters() == ["a", "ab", "bc", "c"]
    lower = made([9.0, 7.0, 5.0, 3.0], apart, higher_is_better=False)
    assert lower.letters() == ["c", "bc", "ab", "a"]
    assert made([1.0, 2.0, 3.0], set()).letters() == ["a", "a", "a"]
    assert made([3.0, 2.0, 1.0], {(0, 1), (0, 2), (1, 2)}).letters() == ["a", "b", "c"]


def test_groups_of_the_textbook_example():
    found = alike(8, [(one - 1, other - 1) for one, other in PIEPHO])
    assert {tuple(sorted(row + 1 for row in group)) for group in found} == {
        (4, 5, 6, 7, 8), (3, 4, 6, 7, 8), (2, 3, 6, 7, 8), (1, 4, 5, 6), (1, 3, 4, 6), (1, 2, 3, 6),
    }  # fmt: skip
    assert len(found) == 6
    for one in range(8):
        for other in range(one + 1, 8):
            share = any({one, other} <= group for group in found)
            assert share == ((one + 1, other + 1) not in PIEPHO)
