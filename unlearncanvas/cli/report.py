"""``unlearncanvas report RUNS``: a page to look at, and tables for papers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict, field_validator
from rich.console import Console

from unlearncanvas.core.files import write_text
from unlearncanvas.core.json_file import read_json

TITLE = "UnlearnCanvas: what was forgotten, what survived"
MARKER = ".unlearncanvas-page.json"
console = Console(emoji=False)


class Written(BaseModel):
    """What a page left in its folder; the content of :data:`MARKER`.

    Attributes:
        files: Paths in the folder; none of them leads out of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[str, ...] = ()

    @field_validator("files")
    @classmethod
    def _inside(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        for name in files:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ValueError(f"{name!r} is not in the page's folder")
        return files


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or results.json files.")],
    out: Annotated[Path, typer.Option(help="Folder of the page.")] = Path("report"),
    title: Annotated[str, typer.Option(help="Heading of the page.")] = TITLE,
) -> None:
    """Write a page that opens from disk, and tables as Markdown, CSV and LaTeX.

    Sortable tables with intervals, the trade-off, where the damage went, contact sheets, costs, and
    for every number the command that makes it again. No network is needed to look at it.
    """
    from unlearncanvas.publish.report.collect import collect
    from unlearncanvas.publish.report.page import Page
    from unlearncanvas.publish.report.papers import write_papers

    missing = [path for path in runs if not path.exists()]
    if missing:
        raise ValueError(f"{missing[0]} does not exist; name a folder with results, e.g. runs")
    found = collect(runs)
    with page_folder(out):
        page = Page(out, title).write(found)
        write_papers(out, found)
    rows = sum(len(leaderboard.rows) for leaderboard in found.leaderboards)
    console.print(
        f"page      {page}  ({len(found.leaderboards)} leaderboards, {rows} rows, "
        f"{page.stat().st_size / 1e6:.1f} MB)",
        soft_wrap=True,
        markup=False,
    )
    console.print(f"tables    {out / 'report.md'}, {out / 'data'}", soft_wrap=True, markup=False)


@contextmanager
def page_folder(out: Path) -> Iterator[None]:
    """Remove what an earlier page left in a folder, and note what the block writes there.

    Nothing else is removed: only files that :data:`MARKER` names, which lies beside them.

    Raises:
        ValueError: If the folder holds something and no page was written there.
    """
    marker = out / MARKER
    if marker.exists():
        names = read_json(Written, marker).files
    else:
        others = sorted(path.name for path in out.iterdir()) if out.exists() else []
        if others:
            raise ValueError(
                f"{out} holds other things ({others[0]}); name a new folder with --out"
            )
        names = ()
    for path in (out / name for name in names):
        path.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    write_text(marker, Written().model_dump_json() + "\n")
    before = _files(out)
    try:
        yield
    finally:
        written = Written(files=tuple(sorted(_files(out) - before)))
        write_text(marker, written.model_dump_json(indent=2) + "\n")


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
