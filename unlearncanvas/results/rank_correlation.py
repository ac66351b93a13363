"""Spearman's rank correlation between two sets of rows, over the erasers that both have."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import DegenerateDataWarning, bootstrap, pearsonr, rankdata

from unlearncanvas.core.registry import CONFIG_DIR, read_yaml
from unlearncanvas.results.cells import BASELINES
from unlearncanvas.results.export import Column, Table
from unlearncanvas.results.reading import read_results

PARTS = {
    "UA": "unlearning_accuracy",
    "IRA": "in_domain_retain_accuracy",
    "CRA": "cross_domain_retain_accuracy",
}
RESAMPLES = 10_000
_KINDS = ("style", "object")


class Correlation(NamedTuple):
    """A rank correlation with its 95 % interval."""

    value: float
    low: float
    high: float


Scores = dict[tuple[str, str], dict[str, float]]
"""UA, IRA and CRA in percent, by eraser and kind of target."""


class Ranking(NamedTuple):
    """Rows to correlate with.

    Attributes:
        title: Where the rows come from.
        scores: The scores of the rows.
        notes: A caveat by eraser; empty where there is none.
    """

    title: str
    scores: Scores
    notes: Mapping[str, str]


def published() -> Ranking:
    """Return the rows of the paper's table, which are not reproduced."""
    table = read_yaml(CONFIG_DIR / "published" / "unlearncanvas.yaml")
    scores: Scores = {
        (name, kind): {part: row[kind][metric] for part, metric in PARTS.items()}
        for name, row in table["rows"].items()
        for kind in _KINDS
    }
    notes = {name: row["caveat"] for name, row in table["rows"].items()}
    return Ranking(f"{table['source']}, as published, not reproduced", scores, notes)


def measured(paths: Sequence[Path]) -> Ranking:
    """Return the rows of ``results.json`` files."""
    scores: Scores = {
        (row.label, row.kind): {part: row.scores[name].value for part, name in PARTS.items()}
        for path in paths
        for row in read_results(path).means
    }
    return Ranking(", ".join(map(str, paths)), scores, {})


def shared_erasers(first: Ranking, second: Ranking) -> list[str]:
    """Return the erasers, baselines left out, that both have for both kinds of targets.

    Raises:
        ValueError: If there are fewer than three.
    """
    shared = [
        name
        for name in dict.fromkeys(name for name, _ in second.scores)
        if name not in BASELINES
        and all((name, kind) in side.scores for side in (first, second) for kind in _KINDS)
    ]
    if len(shared) < 3:
        raise ValueError(
            f"a ranking needs three erasers that both have, found {', '.join(shared) or 'none'}"
        )
    return shared


def correlation_table(first: Ranking, second: Ranking, erasers: Sequence[str]) -> Table:
    """Return both scores of each eraser, and for each column Spearman and the mean gap."""
    keys = [(kind, part) for kind in _KINDS for part in PARTS]
    one, two = (
        np.array([[side.scores[name, kind][part] for name in erasers] for kind, part in keys])
        for side in (first, second)
    )
    pairs = [
        [f"{ours:.1f} ({theirs:.1f})" for ours, theirs in zip(*row, strict=True)]
        for row in zip(one.T, two.T, strict=True)
    ]
    correlations = [_text(rank_correlation(*sides)) for sides in zip(one, two, strict=True)]
    gaps = [f"{gap:.1f}" for gap in np.abs(one - two).mean(axis=1)]
    return Table(
        title=f"ours (theirs) · {second.title}",
        columns=[Column("eraser", "left"), *(Column(f"{kind} {part}") for kind, part in keys)],
        rows=[
            *([name, *row] for name, row in zip(erasers, pairs, strict=True)),
            ["Spearman", *correlations],
            ["mean gap", *gaps],
        ],
        caption="[low, high]: 95 %, bootstrap over the erasers",
    )


def rank_correlation(
    one: Float[np.ndarray, " n"], two: Float[np.ndarray, " n"]
) -> Correlation | None:
    """Return Spearman's correlation with a bootstrap interval; None if a side is constant.

    Resamples in which a side is constant have no correlation and are left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        value = float(_spearman(one, two))
        if np.isnan(value):
            return None
        resampled = bootstrap(
            (one, two),
            _spearman,
            n_resamples=RESAMPLES,
            paired=True,
            method="percentile",
            rng=np.random.default_rng(0),
        ).bootstrap_distribution
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return Correlation(value, float(low), float(high))


def _spearman(one: np.ndarray, two: np.ndarray, axis: int = -1) -> np.ndarray:
    """As Pearson's of the ranks: scipy's ``spearmanr`` does not pair resamples along an axis."""
    ranks = rankdata(one, axis=axis), rankdata(two, axis=axis)
    return np.asarray(pearsonr(*ranks, axis=axis).statistic)


def _text(found: Correlation | None) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]" if found else "undefined"
