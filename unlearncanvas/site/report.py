"""``unlearncanvas report RUNS``: a page to look at, and tables for papers."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

TITLE = "UnlearnCanvas: what was forgotten, what survived"
OURS = {"index.html", "report.md", "pictures", "data"}
console = Console()


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or results.json files.")],
    out: Annotated[Path, typer.Option(help="Folder of the page.")] = Path("report"),
    title: Annotated[str, typer.Option(help="Heading of the page.")] = TITLE,
) -> None:
    """Write a page that opens from disk, and tables as Markdown, CSV and LaTeX.

    Sortable tables with intervals, the trade-off, where the damage went, contact sheets, costs, and
    for every number the command that makes it again. No network is needed to look at it.
    """
    from unlearncanvas.site.collect import collect
    from unlearncanvas.site.page import Page
    from unlearncanvas.site.papers import write_papers

    missing = [path for path in runs if not path.exists()]
    if missing:
        raise ValueError(f"{missing[0]} does not exist; name a folder with results, e.g. runs")
    free_folder(out)
    found = collect(runs)
    page = Page(out, title).write(found)
    write_papers(out, found)
    erasers = sum(len(board.entries) for board in found.boards)
    console.print(
        f"page      {page}  ({len(found.boards)} boards, {erasers} rows, "
        f"{page.stat().st_size / 1e6:.1f} MB)",
        soft_wrap=True,
    )
    console.print(f"tables    {out / 'report.md'}, {out / 'data'}", soft_wrap=True)


def free_folder(out: Path) -> None:
    """Refuse to write a page among other people's files.

    Raises:
        ValueError: If a folder holds something that no page left there.
    """
    others = {path.name for path in out.iterdir()} - OURS if out.exists() else set()
    if others:
        raise ValueError(f"{out} holds other things ({min(others)}); name a new folder with --out")
