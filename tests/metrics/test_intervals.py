"""Intervals: closed forms, what they refuse; how well they cover is in test_coverage.py."""

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats import t as student_t

from metrics.intervals import (
    Bounds,
    average_bounds,
    grid,
    jackknife_cells,
    mean_bounds,
    proportion_bounds,
    target_bounds,
    wilson,
)

T9 = student_t.ppf(0.975, 9)


def test_wilson_by_hand():
    # p = 0: [0, z^2 / (n + z^2)]
    low, high = wilson(0.0, 10)
    assert low == 0
    assert high == pytest.approx(3.8414588 / 13.8414588)
    low, high = wilson(0.5, 100)
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))


@pytest.mark.parametrize(("positive", "n"), [(0, 7), (1, 7), (19, 20), (57, 100), (20, 20)])
def test_wilson_agrees_with_scipy(positive, n):
    expected = binomtest(positive, n).proportion_ci(method="wilson")
    assert wilson(positive / n, n) == pytest.approx((expected.low, expected.high))


def test_a_grid_is_whole():
    table = grid(np.array([True, False, True, True]), ["a", "b", "a", "b"], [1, 1, 2, 2])
    assert table.tolist() == [[1, 1], [0, 1]]
    with pytest.raises(ValueError, match="some are missing"):
        grid(np.array([True, False, True]), ["a", "a", "b"], [1, 2, 1])
    with pytest.raises(ValueError, match="exactly one image"):
        grid(np.array([True, False]), ["a", "a"], [1, 1])


def test_whole_cells_that_fail_count_once():
    """Five of ten cells fail at all five seeds: nine independent images, t quantile, not 50."""
    table = np.repeat(np.arange(10) < 5, 5).reshape(10, 5).astype(float)
    half = T9 / (1 + T9**2 / 9) * np.sqrt(0.25 / 9 + T9**2 / (4 * 81))
    assert proportion_bounds(table).interval() == pytest.approx((0.5 - half, 0.5 + half))


def test_cells_that_are_alike_are_coin_tosses():
    """Every cell has the same share: the variance is that of 50 independent images, not none."""
    table = np.tile([1.0, 1.0, 1.0, 1.0, 0.0], (10, 1))
    assert proportion_bounds(table).interval() == pytest.approx(wilson(0.8, 50))


@pytest.mark.parametrize(("share", "expected"), [(0.0, wilson(0, 10)), (1.0, wilson(1, 10))])
def test_where_all_images_agree_each_cell_counts_once(share, expected):
    assert proportion_bounds(np.full((10, 5), share)).interval() == pytest.approx(expected)


def test_one_cell():
    assert proportion_bounds(np.array([[1.0, 0.0, 1.0]])).interval() == pytest.approx(
        wilson(2 / 3, 1)
    )
    assert mean_bounds(np.ones((1, 3))) is None
    assert jackknife_cells(lambda rows: 0.0, 0.0, ["a", "a"]) is None


def test_a_mean_over_cells_is_the_t_interval_of_their_means():
    table = np.random.default_rng(0).normal(size=(10, 3))
    by_cell = table.mean(axis=1)
    half = T9 * by_cell.std(ddof=1) / np.sqrt(10)
    assert mean_bounds(table).interval() == pytest.approx(
        (by_cell.mean() - half, by_cell.mean() + half)
    )


def test_the_jackknife_leaves_out_whole_cells():
    """Of a mean with one block a cell it is the t interval of the cells' means."""
    x = np.random.default_rng(0).normal(size=(7, 4)) + np.arange(7)[:, None]
    cells = [f"cell {row}" for row in range(7) for _ in range(4)]
    flat = x.ravel()

    def interval(images):
        values = flat[images]
        return jackknife_cells(
            lambda rows: float(values[rows].mean()),
            float(values.mean()),
            [cells[i] for i in images],
        )

    assert interval(np.arange(28)) == pytest.approx(mean_bounds(x).interval())


def test_the_blocks_of_the_jackknife_do_not_depend_on_the_order_of_images():
    rng = np.random.default_rng(0)
    x, cells = rng.normal(size=46), [f"cell {row // 2}" for row in range(46)]

    def interval(images):
        values, where = x[images], [cells[i] for i in images]
        return jackknife_cells(lambda rows: float(values[rows].var()), float(x.var()), where)

    assert interval(rng.permutation(46)) == pytest.approx(interval(np.arange(46)))


def test_over_targets_by_hand():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    half = student_t.ppf(0.975, 4) * np.sqrt(2.5) / np.sqrt(5)
    assert target_bounds(values, percent=False).interval() == pytest.approx((3 - half, 3 + half))
    low, high = target_bounds(np.array([99.0, 98, 97, 99, 60]), percent=True).interval()
    assert 30 < low < 90.6 < high < 100
    assert 90.6 - low > 2 * (high - 90.6)
    assert target_bounds(np.full(5, 100.0), percent=True).interval() == (100, 100)


def test_the_mean_of_these_targets_by_hand():
    values = np.array([90.0, 80.0, 100.0])
    ends = Bounds(values - np.array([12.0, 9, 15]), np.array([94.0, 88, 100]))
    assert average_bounds(values, ends, shared=True).interval() == pytest.approx((78, 94))
    low, high = average_bounds(values, ends, shared=False).interval()
    assert (low, high) == pytest.approx((90 - np.sqrt(450) / 3, 90 + np.sqrt(80) / 3))
