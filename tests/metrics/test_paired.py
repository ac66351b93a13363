"""Two erasers on the same images: by hand, against scipy, and at the edges."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from metrics.intervals import proportion_bounds
from metrics.paired import difference_bounds, difference_p, paired_difference


def test_a_difference_is_tested_over_cells():
    cells, seeds = [0, 0, 1, 1, 2, 2, 3, 3], [1, 2] * 4
    first = np.array([1, 1, 1, 1, 1, 1, 0, 0], bool)
    second = np.array([1, 0, 0, 0, 0, 0, 0, 0], bool)
    found = paired_difference(first, second, cells=cells, seeds=seeds)
    assert found.value == 5 / 8
    assert found.p_value == pytest.approx(max(ttest_1samp([0.5, 1, 1, 0], 0).pvalue, 1 / 8))
    assert -1 < found.interval.low < 5 / 8 < found.interval.high < 1
    swapped = paired_difference(second, first, cells=cells, seeds=seeds)
    assert swapped.value == -found.value
    assert swapped.p_value == found.p_value
    assert swapped.interval == pytest.approx((-found.interval.high, -found.interval.low))


def test_cells_that_are_hard_for_both_make_the_interval_narrow():
    """Newcombe's method 10, written out; the correlation is that of the cells' means."""
    rng = np.random.default_rng(0)
    hard = rng.normal(size=(40, 1))
    first, second = ((rng.random((40, 2)) < 1 / (1 + np.exp(-2 * hard))) * 1.0 for _ in range(2))
    (p, q), (a, b) = (
        (first.mean(), second.mean()),
        (proportion_bounds(first), proportion_bounds(second)),
    )
    r = np.corrcoef(first.mean(axis=1), second.mean(axis=1))[0, 1]
    assert r > 0.4
    low = p - q - np.sqrt((p - a.low) ** 2 - 2 * r * (p - a.low) * (b.high - q) + (b.high - q) ** 2)
    high = (
        p - q + np.sqrt((a.high - p) ** 2 - 2 * r * (a.high - p) * (q - b.low) + (q - b.low) ** 2)
    )
    assert difference_bounds(first, second).interval() == pytest.approx((low, high))


def test_p_is_the_t_tests_over_many_cells():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 80, 2)) < np.array([0.8, 0.7])[:, None, None]
    change = first.mean(axis=1) - second.mean(axis=1)
    assert difference_p(first * 1.0, second * 1.0) == pytest.approx(ttest_1samp(change, 0).pvalue)


def test_no_difference_in_ten_cells_is_none_proven():
    """What ten cells agree on, an eleventh may not: the interval has a width."""
    cells, seeds = np.repeat(np.arange(10), 2).tolist(), [1, 2] * 10
    first = np.arange(20) % 10 > 0
    same = paired_difference(first, first, cells=cells, seeds=seeds)
    assert (same.value, same.p_value) == (0.0, 1.0)
    assert same.interval.low < 0 < same.interval.high


def test_ten_cells_that_all_differ_are_no_certainty():
    cells, seeds = np.repeat(np.arange(10), 2).tolist(), [1, 2] * 10
    found = paired_difference(np.ones(20, bool), np.zeros(20, bool), cells=cells, seeds=seeds)
    assert found.value == 1
    assert found.p_value == pytest.approx(2 * 0.5**10)  # the smallest of a sign test
    assert 0.5 < found.interval.low < found.interval.high == 1


def test_images_of_a_cell_are_not_taken_for_independent():
    """One cell in which everything differs is one piece of evidence, however many its images."""
    cells, seeds = [0] * 50 + [1] * 50, [*range(50)] * 2
    first = np.array([True] * 50 + [False] * 50)
    found = paired_difference(first, np.zeros(100, bool), cells=cells, seeds=seeds)
    assert (found.value, found.p_value) == (0.5, pytest.approx(0.5))
