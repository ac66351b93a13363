"""How often intervals hold the truth; the page that says so is the one of its data."""

import json

import numpy as np
import pytest
from scipy.stats import permutation_test

from metrics.intervals import jackknife_cells, proportion_bounds, target_bounds
from metrics.paired import difference_p
from unlearncanvas.studies.coverage import before
from unlearncanvas.studies.coverage.__main__ import DATA, PAGE
from unlearncanvas.studies.coverage.document import COLUMNS, document
from unlearncanvas.studies.coverage.models import TARGETS, images
from unlearncanvas.studies.coverage.tables import (
    covered,
    fid,
    over_targets,
    paired,
    shares,
    these_targets,
)


def test_the_page_is_made_of_the_data():
    """Stale? python -m unlearncanvas.studies.coverage --render."""
    assert PAGE.read_text() == document(json.loads(DATA.read_text()))


def test_what_the_data_say():
    tables = json.loads(DATA.read_text())
    assert min(row["now"] for row in tables["shares"]) >= 92
    assert min(row["now"] for row in tables["fid"]) >= 92
    steady = [row for row in tables["targets"] if "lognormal" not in row["values"]]
    assert min(row["now"] for row in steady) >= 92
    assert max(row["now_size"] or 0 for row in tables["paired"]) < 7


@pytest.mark.parametrize(
    ("size", "share", "by_cell"), [((10, 2), 0.8, 5.0), ((10, 5), 0.9, 5.0), ((80, 2), 0.97, 2.5)]
)
def test_a_share_is_covered_where_whole_cells_fail(size, share, by_cell):
    """1,000 evaluations: 0.7 points of Monte Carlo error."""
    rng = np.random.default_rng(7)
    drawn = images(rng, 1000, size, share, by_cell=by_cell, by_seed=0.0).table
    assert 92 <= covered(proportion_bounds(drawn), share) <= 99.5
    if size == (10, 5):
        assert covered(before.bootstrap_share(drawn), share) < 88


def test_few_targets_are_covered():
    draw, mean = TARGETS["beta(8, 2)"]
    values = draw(np.random.default_rng(7), (1000, 5))
    assert 92.5 <= covered(target_bounds(values, percent=True), mean) <= 97.5
    assert covered(before.bootstrap_targets(values), mean) < 86


def test_a_jackknife_over_cells_covers_what_one_over_rows_does_not():
    rng, found, old = np.random.default_rng(7), [], []
    cells = np.repeat(np.arange(41), 5).tolist()
    for _ in range(300):
        x = (rng.normal(size=(41, 1)) + 0.3 * rng.normal(size=(41, 5))).ravel()
        low, high = jackknife_cells(lambda rows, x=x: float(x[rows].mean()), float(x.mean()), cells)
        found.append(low <= 0 <= high)
        rows = np.arange(len(x)) % 10
        left = np.array([x[rows != block].mean() for block in range(10)])
        old.append(before.jackknife(left, float(x.mean())))
    assert 0.91 <= np.mean(found) <= 0.985
    assert np.mean([low <= 0 <= high for low, high in old]) < 0.75


def test_the_paired_test_has_the_size_that_it_says():
    rng = np.random.default_rng(7)
    first, second = ((rng.random((2000, 10, 5)) < 0.8) * 1.0 for _ in range(2))
    assert 0.03 < np.mean(difference_p(first, second) <= 0.05) < 0.065


def test_the_sign_flips_of_ten_cells_are_scipys():
    change = np.random.default_rng(7).integers(-2, 3, size=(20, 10)) / 2
    expected = permutation_test(
        (change, np.zeros_like(change)),
        lambda one, two, axis: (one - two).sum(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
        axis=1,
    ).pvalue
    assert before.sign_flip(change) == pytest.approx(expected)


def test_every_table_has_its_columns():
    drawn = {
        "shares": shares(20), "targets": over_targets(20), "these_targets": these_targets(20),
        "fid": fid(2), "paired": paired(20),
    }  # fmt: skip
    for name, rows in drawn.items():
        assert set(COLUMNS[name]) == set(next(iter(rows)))
