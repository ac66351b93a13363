"""Coverage of the 95 % intervals, before 0.6 and now; size of the paired test.

    python -m unlearncanvas.studies.coverage            # ten minutes of one core; prints the tables
    python -m unlearncanvas.studies.coverage --write    # and writes docs/results/intervals.json
    python -m unlearncanvas.studies.coverage --render   # docs/intervals.md of that file

Every number is a percentage of simulated evaluations whose truth is known, with the functions of
``metrics.intervals``, ``metrics.paired`` and ``metrics.separation`` that results are made with.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from unlearncanvas.core.files import write_text
from unlearncanvas.studies.coverage.document import document
from unlearncanvas.studies.coverage.tables import simulate

ROOT = Path(__file__).parents[3]
DATA, PAGE = ROOT / "docs" / "results" / "intervals.json", ROOT / "docs" / "intervals.md"
app = typer.Typer(add_completion=False, rich_markup_mode=None)
console = Console()


@app.command()
def coverage(
    many: Annotated[int, typer.Option(min=20, help="Evaluations of each setting.")] = 4000,
    write: Annotated[bool, typer.Option(help="Write the data and the page.")] = False,  # noqa: FBT002
    render: Annotated[bool, typer.Option(help="Write the page alone.")] = False,  # noqa: FBT002
) -> None:
    """Simulate, print, and on request write the data and the page of the documentation."""
    tables = json.loads(DATA.read_text(encoding="utf-8")) if render else simulate(many)
    text = document(tables)
    console.print(text, markup=False, soft_wrap=True)
    if write:
        write_text(DATA, json.dumps(tables, indent=1) + "\n")
    if write or render:
        write_text(PAGE, text)


if __name__ == "__main__":
    app()
