"""Two erasers on the same images: by hand, against scipy, and at the edges."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from metrics.intervals import proportion_bounds
from metrics.paired import (
    difference_bounds,
    difference_p,
    paired_difference,
    paired_mean_difference,
    paired_scores,
)
from metrics.per_image import PerImage


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


def test_a_difference_of_means_is_the_paired_t_test_of_the_cells_means():
    rng = np.random.default_rng(0)
    cells, seeds = np.repeat(np.arange(12), 3).tolist(), [1, 2, 3] * 12
    hard = np.repeat(rng.normal(size=12), 3)
    first, second = (hard + rng.normal(scale=0.1, size=36) for _ in range(2))
    found = paired_mean_difference(first, second, cells=cells, seeds=seeds)
    change = (first - second).reshape(12, 3).mean(axis=1)
    test = ttest_1samp(change, 0)
    assert found.value == pytest.approx(change.mean())
    assert found.p_value == pytest.approx(test.pvalue)
    assert found.interval == pytest.approx(tuple(test.confidence_interval(0.95)))
    order = rng.permutation(36)
    mixed = paired_mean_difference(
        first[order], second[order], cells=[cells[i] for i in order],
        seeds=[seeds[i] for i in order],
    )  # fmt: skip
    assert mixed.interval == pytest.approx(found.interval)


def test_a_difference_of_means_over_one_cell_has_no_interval():
    with pytest.raises(ValueError, match="all images are of one cell"):
        paired_mean_difference(np.ones(2), np.zeros(2), cells=["a", "a"], seeds=[1, 2])


def test_scores_are_compared_in_their_own_unit():
    """Shares in points with the interval of proportions, means as they are with theirs."""
    cells, seeds = [0, 0, 1, 1], [1, 2, 1, 2]
    first, second = np.array([True, True, True, False]), np.array([True, False, False, False])
    shares = paired_scores(PerImage(first, cells, seeds), PerImage(second, cells, seeds))
    plain = paired_difference(first, second, cells=cells, seeds=seeds)
    assert shares.value == 50
    assert shares.interval == pytest.approx([100 * end for end in plain.interval])
    numbers = [np.array([3.0, 4, 5, 6]), np.array([1.0, 2, 2, 3])]
    means = paired_scores(*(PerImage(values, cells, seeds) for values in numbers))
    assert means.value == 2.5
    assert means.interval == pytest.approx((2.5 - 12.7062 * 0.5, 2.5 + 12.7062 * 0.5), rel=1e-5)
