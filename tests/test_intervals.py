"""Intervals: published values, coverage, and what they refuse."""

import numpy as np
import pytest

from metrics.intervals import (
    block_jackknife,
    bootstrap_cells_and_seeds,
    bootstrap_targets,
    wilson,
)


def test_wilson_by_hand():
    # p = 0: [0, z^2 / (n + z^2)]
    low, high = wilson(0.0, 10)
    assert low == 0
    assert high == pytest.approx(3.8414588 / 13.8414588)
    low, high = wilson(0.5, 100)
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))


def test_bootstrap_needs_the_whole_grid():
    with pytest.raises(ValueError, match="some are missing"):
        bootstrap_cells_and_seeds(np.array([True, False, True]), ["a", "a", "b"], [1, 2, 1])
    with pytest.raises(ValueError, match="exactly one image"):
        bootstrap_cells_and_seeds(np.array([True, False]), ["a", "a"], [1, 1])


def test_bootstrap_widens_when_cells_differ():
    """All of the variance between cells: wider than between seeds at the same share."""
    cells = [cell for cell in range(20) for _ in range(5)]
    seeds = [seed for _ in range(20) for seed in range(5)]
    by_cell = np.array([cell % 2 == 0 for cell in cells])
    mixed = np.array([(cell + seed) % 2 == 0 for cell, seed in zip(cells, seeds, strict=True)])
    wide = bootstrap_cells_and_seeds(by_cell, cells, seeds)
    narrow = bootstrap_cells_and_seeds(mixed, cells, seeds)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_bootstrap_covers_about_95_percent():
    rng, hits = np.random.default_rng(1), 0
    cells, seeds = np.repeat(np.arange(30), 4).tolist(), np.tile(np.arange(4), 30).tolist()
    for _ in range(60):
        shares = rng.beta(8, 2, size=30)
        correct = rng.random((30, 4)) < shares[:, None]
        low, high = bootstrap_cells_and_seeds(correct.ravel(), cells, seeds)
        hits += low <= 0.8 <= high
    assert hits >= 52


def test_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(0).normal(size=1000)
    low, high = block_jackknife(lambda rows: float(x[rows].mean()), float(x.mean()), len(x))
    assert (high - low) / 2 / 1.96 == pytest.approx(1 / np.sqrt(1000), rel=0.5)
    assert (low + high) / 2 == pytest.approx(x.mean())


def test_mean_over_few_targets_has_no_interval():
    assert bootstrap_targets(np.array([1.0, 2.0, 3.0, 4.0])) is None
    low, high = bootstrap_targets(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert 1 <= low < 3 < high <= 5
