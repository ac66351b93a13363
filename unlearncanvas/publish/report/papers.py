"""The tables for papers: Markdown, CSV, LaTeX."""

from pathlib import Path

from pandas import DataFrame

from unlearncanvas.core.files import write_text
from unlearncanvas.publish.report.collect import Collection, Leaderboard
from unlearncanvas.publish.report.columns import TEXTS, columns_of, intervals_text
from unlearncanvas.results.export import (
    Column,
    Table,
    markdown_code,
    markdown_text,
    to_latex,
    to_markdown,
)

RECORD = ("protocol", "protocol_digest", "seeds", "eraser", "targets", "metric", "value", "low",
          "high", "n", "unit", "measured", "over")  # fmt: skip
"""Columns of the CSV file."""


def write_papers(folder: Path, found: Collection) -> list[Path]:
    """Write ``report.md``, ``data/table.csv`` and ``data/table.tex``; return their paths."""
    paths = {
        folder / "report.md": "\n".join(map(_markdown, found.boards)) or "No boards.\n",
        folder / "data" / "table.csv": _csv(found.boards),
        folder / "data" / "table.tex": "\n".join(map(_latex, found.boards)),
    }
    for path, text in paths.items():
        write_text(path, text)
    return list(paths)


def board_table(board: Leaderboard, *, texts: bool) -> Table:
    """Return a board as a table.

    Args:
        board: The board.
        texts: Include the columns of text; a page of a paper has no place for them.
    """
    columns = [column for column in columns_of(board) if texts or column.name not in TEXTS]
    return Table(
        title=board.title,
        columns=[
            Column("eraser", "left"),
            *(
                Column(column.heading, "left" if column.name in TEXTS else "right")
                for column in columns
            ),
        ],
        rows=[
            [entry.label, *(column.text(entry) for column in columns)]
            for entry in board.entries.values()
        ],
        caption=(
            f"Protocol digest {board.run.protocol_digest[:12]}, base {board.run.model}. "
            f"{intervals_text(board)}."
        ),
    )


def _markdown(board: Leaderboard) -> str:
    commands = [
        f"- {markdown_text(entry.label)}: {markdown_code(entry.command)}"
        for entry in board.entries.values()
        if entry.standing != "reference" and entry.command
    ]
    table = to_markdown(board_table(board, texts=True))
    return "\n".join([table, "Commands that reproduce the rows:", "", *commands, ""])


def _csv(boards: list[Leaderboard]) -> str:
    """One line per eraser, kind of target and metric: the long format of plotting libraries."""
    records = [
        (board.run.protocol, board.run.protocol_digest[:12], len(board.run.seeds), entry.label,
         f"{len(row.targets)} {kind}", name, score.value, score.low, score.high, score.n,
         score.unit, entry.trust, score.over or "")
        for board in boards
        for entry in board.entries.values()
        for kind, row in entry.rows.items()
        for name, score in row.scores.items()
    ]  # fmt: skip
    return DataFrame(records, columns=RECORD, dtype=object).to_csv(index=False, lineterminator="\n")


def _latex(board: Leaderboard) -> str:
    return to_latex(board_table(board, texts=False))
