"""Does the small exam rank erasers as the published table does?

    unlearncanvas agreement runs/mini/*/quick/results.json

Spearman's rank correlation between our rows and the published ones, for UA, IRA and CRA of styles
and objects, with a bootstrap interval over the erasers. Nine rows give wide intervals, and the
published rows have defects of their own, which are printed beside them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from unlearncanvas.config import CONFIG_DIR, read_yaml

PARTS = {
    "UA": "unlearning_accuracy",
    "IRA": "in_domain_retain_accuracy",
    "CRA": "cross_domain_retain_accuracy",
}
RESAMPLES = 10_000
_KINDS = ("style", "object")
console = Console()


class Correlation(NamedTuple):
    """A rank correlation with its 95 % interval."""

    value: float
    low: float
    high: float


def agreement(
    results: Annotated[list[Path], typer.Argument(help="results.json files of our runs.")],
) -> None:
    """Compare the ranking of erasers with the published table's."""
    published = read_yaml(CONFIG_DIR / "published" / "unlearncanvas.yaml")
    ours = _measured(results)
    shared = [name for name in published["rows"] if all((name, kind) in ours for kind in _KINDS)]
    if len(shared) < 3:
        raise ValueError(
            f"a ranking needs three erasers of the published table, found {', '.join(shared) or 0}"
        )
    table = Table(
        title=f"measured (published) · {published['source']}",
        caption="as published, not reproduced",
    )
    headings = [(kind, part) for kind in _KINDS for part in PARTS]
    for heading in ("eraser", *(f"{kind} {part}" for kind, part in headings)):
        table.add_column(heading, justify="left" if heading == "eraser" else "right")
    for name in shared:
        row = published["rows"][name]
        cells = [
            f"{ours[name, kind][part]:.1f} ({row[kind][list(PARTS).index(part)]:.1f})"
            for kind, part in headings
        ]
        table.add_row(name, *cells)
    table.add_section()
    table.add_row(
        "rank correlation",
        *(_cell(_correlation(published, ours, shared, *heading)) for heading in headings),
    )
    console.print(table)
    console.print("the published rows, as far as is known:")
    for name in shared:
        console.print(f"  {name:6} {published['rows'][name]['caveat']}")


def _measured(paths: Sequence[Path]) -> dict[tuple[str, str], dict[str, float]]:
    """Our scores by eraser and kind."""
    from unlearncanvas.results import read_results

    return {
        (row.label, row.kind): {part: row.scores[name].value for part, name in PARTS.items()}
        for path in paths
        for row in read_results(path).rows
    }


def _correlation(
    published: Mapping[str, Any],
    ours: Mapping[tuple[str, str], Mapping[str, float]],
    names: Sequence[str],
    kind: str,
    part: str,
) -> Correlation | None:
    column = list(PARTS).index(part)
    return rank_correlation(
        [ours[name, kind][part] for name in names],
        [published["rows"][name][kind][column] for name in names],
    )


def rank_correlation(one: Sequence[float], two: Sequence[float]) -> Correlation | None:
    """Return Spearman's correlation with a bootstrap interval; None where a side is constant.

    Resamples in which a side is constant have no correlation and are left out.
    """
    pairs = np.array([one, two], dtype=np.float64)
    value = _spearman(pairs)
    if value is None:
        return None
    draw = np.random.default_rng(0).integers(len(one), size=(RESAMPLES, len(one)))
    values = [found for rows in draw if (found := _spearman(pairs[:, rows])) is not None]
    low, high = np.percentile(values, [2.5, 97.5])
    return Correlation(value, float(low), float(high))


def _spearman(pairs: np.ndarray) -> float | None:
    from scipy.stats import rankdata

    ranks = rankdata(pairs, axis=1)
    if np.any(ranks.std(axis=1) == 0):
        return None
    return float(np.corrcoef(ranks)[0, 1])


def _cell(found: Correlation | None) -> str:
    if found is None:
        return "undefined"
    return f"{found.value:.2f}\n\\[{found.low:.2f}, {found.high:.2f}]"
