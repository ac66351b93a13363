"""Rank correlation by hand and against scipy; the published rows are what they should be."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from unlearncanvas.agreement import PARTS, agreement, rank_correlation
from unlearncanvas.config import CONFIG_DIR, names, read_yaml


def test_perfect_and_reversed_rankings():
    assert rank_correlation([1, 2, 3, 40], [0, 5, 6, 7]).value == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [9, 5, 1]).value == pytest.approx(-1)


def test_agrees_with_scipy_with_ties_too():
    rng = np.random.default_rng(1)
    for _ in range(5):
        one, two = rng.integers(5, size=9), rng.normal(size=9)
        found = rank_correlation(one.tolist(), two.tolist())
        assert found.value == pytest.approx(spearmanr(one, two).statistic)
        assert -1 <= found.low <= found.value <= found.high <= 1


def test_a_constant_side_has_no_correlation():
    assert rank_correlation([100, 100, 100], [1, 2, 3]) is None


def test_published_rows_belong_to_erasers_we_have():
    rows = read_yaml(CONFIG_DIR / "published" / "unlearncanvas.yaml")["rows"]
    assert len(rows) == 9
    assert set(rows) <= set(names("erasers"))
    for row in rows.values():
        for kind in ("style", "object"):
            assert list(row[kind]) == list(PARTS.values())
            assert all(0 <= value <= 100 for value in row[kind].values())
        assert row["caveat"]


def test_two_runs_of_our_own_are_compared(capsys):
    """The two-seed run against the five-seed run of the README: a row an eraser, no baselines."""
    folder = CONFIG_DIR.parent / "docs" / "results"
    agreement([folder / "mini-quick-eleven.json"], against=folder / "mini-quick-five-seeds.json")
    printed = capsys.readouterr().out
    assert "esd" in printed
    assert "noise" not in printed
    assert "Spearman" in printed
    assert "mean gap" in printed


def test_too_few_erasers_are_no_ranking():
    folder = CONFIG_DIR.parent / "docs" / "results"
    with pytest.raises(ValueError, match="needs three erasers that both have, found ca"):
        agreement([folder / "mini-full-ca.json"], against=folder / "mini-quick-eleven.json")
