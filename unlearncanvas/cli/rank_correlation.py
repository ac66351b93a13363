"""``unlearncanvas rank-correlation``: compare the ranking of erasers in two tables.

    unlearncanvas rank-correlation runs/mini/*/quick/results.json
    unlearncanvas rank-correlation runs/mini-fast/*/full/results.json --against results.json

Spearman's rank correlation between two sets of rows, for UA, IRA and CRA of styles and objects,
with a bootstrap interval over the erasers, and the mean absolute difference of each score. Nine
rows give wide intervals, and the published rows have defects of their own, which are printed, too.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from unlearncanvas.results.export import Format, render, to_terminal

console = Console(emoji=False)
Results = Annotated[list[Path], typer.Argument(help="results.json files of our runs.")]
Against = Annotated[
    Path | None,
    typer.Option(help="Another results.json, e.g. the whole protocol's; default: the paper's."),
]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="Print the table alone, in this format.")
]


def rank_correlation(
    results: Results, against: Against = None, format_name: FormatOption = None
) -> None:
    """Compare the ranking of erasers with the published table's, or with another run's."""
    from unlearncanvas.results import rank_correlation as ranking

    ours = ranking.measured(results)
    other = ranking.published() if against is None else ranking.measured([against])
    erasers = ranking.shared_erasers(ours, other)
    table = ranking.correlation_table(ours, other, erasers)
    if format_name is not None:
        typer.echo(render(table, format_name), nl=False)
        return
    console.print(to_terminal(table))
    if other.notes:
        console.print("the published rows, as far as is known:")
    for name in erasers if other.notes else ():
        console.print(f"  {name:6} {other.notes[name]}", markup=False)
