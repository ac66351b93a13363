"""Does the small exam rank erasers as the published table does, the fast one as the whole one?

    unlearncanvas agreement runs/mini/*/quick/results.json
    unlearncanvas agreement runs/mini-fast/*/full/results.json --against docs/results/mini-full.json

Spearman's rank correlation between two sets of rows, for UA, IRA and CRA of styles and objects,
with a bootstrap interval over the erasers, and the mean absolute difference of each score. Nine
rows give wide intervals, and the published rows have defects of their own, which are printed, too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from jaxtyping import Float
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from unlearncanvas.config import CONFIG_DIR, read_yaml
from unlearncanvas.plan import BASELINES

PARTS = {
    "UA": "unlearning_accuracy",
    "IRA": "in_domain_retain_accuracy",
    "CRA": "cross_domain_retain_accuracy",
}
RESAMPLES = 10_000
_KINDS = ("style", "object")
console = Console(emoji=False)


class Correlation(NamedTuple):
    """A rank correlation with its 95 % interval."""

    value: float
    low: float
    high: float


Scores = dict[tuple[str, str], dict[str, float]]
"""UA, IRA and CRA in percent, by eraser and kind of target."""


class Other(NamedTuple):
    """What our scores are compared with.

    Attributes:
        title: What it is.
        scores: Its scores.
        notes: A line for each eraser; empty where there is nothing to say.
    """

    title: str
    scores: Scores
    notes: Mapping[str, str]


def agreement(
    results: Annotated[list[Path], typer.Argument(help="results.json files of our runs.")],
    against: Annotated[
        Path | None,
        typer.Option(help="Another results.json, e.g. the whole exam's; default: the paper's."),
    ] = None,
) -> None:
    """Compare the ranking of erasers with the published table's, or with another run's."""
    other = _published() if against is None else Other(str(against), _measured([against]), {})
    ours = _measured(results)
    shared = [
        name
        for name in dict.fromkeys(name for name, _ in other.scores)
        if name not in BASELINES
        and all((name, kind) in ours and (name, kind) in other.scores for kind in _KINDS)
    ]
    if len(shared) < 3:
        raise ValueError(
            f"a ranking needs three erasers that both have, found {', '.join(shared) or 'none'}"
        )
    console.print(_table(ours, other, shared))
    if other.notes:
        console.print("the published rows, as far as is known:")
    for name in shared if other.notes else ():
        console.print(f"  {name:6} {other.notes[name]}", markup=False)


def _table(ours: Scores, other: Other, shared: Sequence[str]) -> Table:
    table = Table(title=f"ours (theirs) · {other.title}")
    headings = [(kind, part) for kind in _KINDS for part in PARTS]
    table.add_column("eraser")
    for kind, part in headings:
        table.add_column(f"{kind} {part}", justify="right")
    for name in shared:
        pairs = [
            (ours[name, kind][part], other.scores[name, kind][part]) for kind, part in headings
        ]
        table.add_row(escape(name), *(f"{one:.1f} ({two:.1f})" for one, two in pairs))
    correlations, gaps = [], []
    for kind, part in headings:
        one = np.array([ours[name, kind][part] for name in shared])
        two = np.array([other.scores[name, kind][part] for name in shared])
        correlations.append(_cell(rank_correlation(one.tolist(), two.tolist())))
        gaps.append(f"{np.abs(one - two).mean():.1f}")
    table.add_section()
    table.add_row("Spearman", *correlations)
    table.add_row("mean gap", *gaps)
    return table


def _published() -> Other:
    """The published table, which nobody has reproduced."""
    table = read_yaml(CONFIG_DIR / "published" / "unlearncanvas.yaml")
    scores = {
        (name, kind): {part: row[kind][metric] for part, metric in PARTS.items()}
        for name, row in table["rows"].items()
        for kind in _KINDS
    }
    notes = {name: row["caveat"] for name, row in table["rows"].items()}
    return Other(f"{table['source']}, as published, not reproduced", scores, notes)


def _measured(paths: Sequence[Path]) -> Scores:
    """Our scores by eraser and kind."""
    from unlearncanvas.results import read_results

    return {
        (row.label, row.kind): {part: row.scores[name].value for part, name in PARTS.items()}
        for path in paths
        for row in read_results(path).rows
    }


def rank_correlation(one: Sequence[float], two: Sequence[float]) -> Correlation | None:
    """Return Spearman's correlation with a bootstrap interval; None where a side is constant.

    Resamples in which a side is constant have no correlation and are left out.
    """
    pairs = np.array([one, two], dtype=np.float64)
    value = float(_spearman(pairs))
    if np.isnan(value):
        return None
    draw = np.random.default_rng(0).integers(len(one), size=(RESAMPLES, len(one)))
    values = _spearman(pairs[:, draw])
    low, high = np.percentile(values[~np.isnan(values)], [2.5, 97.5])
    return Correlation(value, float(low), float(high))


def _spearman(pairs: Float[np.ndarray, "2 *many n"]) -> Float[np.ndarray, "*many"]:
    """Correlation of ranks along the last axis; NaN where a side is constant."""
    from scipy.stats import rankdata

    ranks = rankdata(pairs, axis=-1)
    one, two = ranks - ranks.mean(axis=-1, keepdims=True)
    scale = np.sqrt((one**2).sum(axis=-1) * (two**2).sum(axis=-1))
    with np.errstate(invalid="ignore"):
        return np.asarray((one * two).sum(axis=-1) / scale)


def _cell(found: Correlation | None) -> str:
    if found is None:
        return "undefined"
    return f"{found.value:.2f}\n\\[{found.low:.2f}, {found.high:.2f}]"
