"""Rank correlation by hand and against scipy; the command in all its formats."""

import csv
import io

import numpy as np
import pytest
from scipy.stats import spearmanr

from tests.fixtures.in_process import run
from unlearncanvas.core.registry import CONFIG_DIR, names, read_yaml
from unlearncanvas.results.rank_correlation import (
    PARTS,
    measured,
    published,
    rank_correlation,
    shared_erasers,
)

RESULTS = CONFIG_DIR.parent / "docs" / "results"
TWO_SEEDS, FIVE_SEEDS = RESULTS / "mini-quick-eleven.json", RESULTS / "mini-quick-five-seeds.json"


def test_perfect_and_reversed_rankings():
    rising = np.array([1.0, 2, 3, 40])
    assert rank_correlation(rising, np.array([0.0, 5, 6, 7])).value == pytest.approx(1)
    assert rank_correlation(rising, np.array([9.0, 5, 1, 0])).value == pytest.approx(-1)


def test_agrees_with_scipy_with_ties_too():
    rng = np.random.default_rng(1)
    for _ in range(5):
        one, two = rng.integers(5, size=9) * 1.0, rng.normal(size=9)
        found = rank_correlation(one, two)
        assert found.value == pytest.approx(spearmanr(one, two).statistic)
        assert -1 <= found.low <= found.value <= found.high <= 1


def test_the_bootstrap_is_that_of_single_resamples():
    """The same draws, one by one, by scipy's spearmanr; constant resamples are left out."""
    one, two = np.array([1.0, 2, 2, 5, 4]), np.array([3.0, 1, 4, 4, 9])
    draws = np.random.default_rng(0).integers(5, size=(10_000, 5))
    drawn = {tuple(rows) for rows in draws.tolist()}
    value = {
        rows: spearmanr(one[list(rows)], two[list(rows)]).statistic
        for rows in drawn
        if len(set(one[list(rows)])) > 1 and len(set(two[list(rows)])) > 1
    }
    values = [value[rows] for rows in map(tuple, draws.tolist()) if rows in value]
    assert len(values) < len(draws)
    found = rank_correlation(one, two)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(values, [2.5, 97.5])))


def test_the_interval_of_the_published_ranking_is_what_it_was():
    """Style UA of the README's five-seed run: numbers of version 0.6."""
    ours, theirs = measured([FIVE_SEEDS]), published()
    erasers = shared_erasers(ours, theirs)
    one, two = (
        np.array([side.scores[name, "style"]["UA"] for name in erasers]) for side in (ours, theirs)
    )
    expected = (0.14852213144650114, -0.5746957711326909, 0.7602510449687963)
    assert rank_correlation(one, two) == pytest.approx(expected, abs=1e-12)


def test_a_constant_side_has_no_correlation():
    assert rank_correlation(np.full(3, 100.0), np.arange(3.0)) is None


def test_published_rows_belong_to_erasers_we_have():
    rows = read_yaml(CONFIG_DIR / "published" / "unlearncanvas.yaml")["rows"]
    assert len(rows) == 9
    assert set(rows) <= set(names("erasers"))
    for row in rows.values():
        for kind in ("style", "object"):
            assert list(row[kind]) == list(PARTS.values())
            assert all(0 <= value <= 100 for value in row[kind].values())
        assert row["caveat"]


def test_two_runs_of_our_own_are_compared():
    """The two-seed run against the five-seed run of the README: a row an eraser, no baselines."""
    command = "rank-correlation", str(TWO_SEEDS), "--against", str(FIVE_SEEDS)
    printed = run("unlearncanvas.cli.main", *command)
    assert printed.returncode == 0, printed.stderr
    assert "noise" not in printed.stdout
    assert "mean gap" in printed.stdout
    table = run("unlearncanvas.cli.main", *command, "--format", "csv").stdout
    rows = {row["eraser"]: row for row in csv.DictReader(io.StringIO(table))}
    assert list(rows)[-2:] == ["Spearman", "mean gap"]
    assert "noise" not in rows
    ours, theirs = measured([TWO_SEEDS]), measured([FIVE_SEEDS])
    erasers = shared_erasers(ours, theirs)
    one, two = ([side.scores[name, "object"]["CRA"] for name in erasers] for side in (ours, theirs))
    assert list(rows)[:-2] == erasers
    assert rows["esd"]["object CRA"] == (
        f"{ours.scores['esd', 'object']['CRA']:.1f} ({theirs.scores['esd', 'object']['CRA']:.1f})"
    )
    assert rows["Spearman"]["object CRA"].startswith(f"{spearmanr(one, two).statistic:.2f} [")
    assert rows["mean gap"]["object CRA"] == f"{np.abs(np.subtract(one, two)).mean():.1f}"
    markdown = run("unlearncanvas.cli.main", *command, "--format", "markdown").stdout
    assert markdown.startswith("## ours (theirs) · ")


def test_the_published_rows_come_with_their_caveats():
    printed = run("unlearncanvas.cli.main", "rank-correlation", str(TWO_SEEDS)).stdout
    rows = read_yaml(CONFIG_DIR / "published" / "unlearncanvas.yaml")["rows"]
    words = " ".join(printed.split())
    assert all(" ".join(rows[name]["caveat"].split()) in words for name in ("esd", "uce"))
    latex = run(
        "unlearncanvas.cli.main", "rank-correlation", str(TWO_SEEDS), "--format", "latex"
    ).stdout
    assert latex.splitlines()[-1] == r"\end{tabular}"


def test_too_few_erasers_are_no_ranking():
    files = str(RESULTS / "mini-full-ca.json"), "--against", str(TWO_SEEDS)
    refused = run("unlearncanvas.cli.main", "rank-correlation", *files)
    assert refused.returncode == 2
    assert "needs three erasers that both have, found ca" in refused.stderr
