"""The tables for papers: Markdown, CSV, LaTeX."""

from collections.abc import Iterator
from pathlib import Path

from pandas import DataFrame

from unlearncanvas.core.files import write_text
from unlearncanvas.publish.report.columns import TEXTS, columns_of, intervals_text
from unlearncanvas.publish.report.leaderboards import Collection, Leaderboard
from unlearncanvas.publish.report.tables import commands_of, tables_of_group
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
    leaderboards = found.leaderboards
    paths = {
        folder / "report.md": "\n".join(map(_markdown, leaderboards)),
        folder / "data" / "table.csv": _csv(leaderboards),
        folder / "data" / "table.tex": "\n".join(map(_latex, leaderboards)),
    }
    for path, text in paths.items():
        write_text(path, text)
    return list(paths)


def leaderboard_tables(leaderboard: Leaderboard, *, texts: bool) -> list[Table]:
    """Return the tables of a leaderboard.

    Args:
        leaderboard: Means over targets are one table, rows of one group are the evaluation's.
        texts: Include the columns of text; a page of a paper has no place for them.
    """
    if leaderboard.group:
        return tables_of_group(leaderboard)
    columns = [column for column in columns_of(leaderboard) if texts or column.name not in TEXTS]
    first = leaderboard.first
    table = Table(
        title=leaderboard.title,
        columns=[
            Column("eraser", "left"),
            *(
                Column(column.heading, "left" if column.name in TEXTS else "right")
                for column in columns
            ),
        ],
        rows=[
            [row.label, *(column.text(row) for column in columns)]
            for row in leaderboard.rows.values()
        ],
        caption=(
            f"Protocol digest {first.protocol_digest[:12]}, base {first.model}. "
            f"{intervals_text(leaderboard)}."
        ),
    )
    return [table]


def _markdown(leaderboard: Leaderboard) -> str:
    tables = map(to_markdown, leaderboard_tables(leaderboard, texts=True))
    return "\n".join([*tables, "Commands that reproduce the rows:", "", *_listed(leaderboard), ""])


def _listed(leaderboard: Leaderboard) -> list[str]:
    """The commands as a list."""
    if leaderboard.group:
        return [f"- {markdown_code(command)}" for command in commands_of(leaderboard)]
    return [
        f"- {markdown_text(row.label)}: {markdown_code(row.command)}"
        for row in leaderboard.rows.values()
        if row.status != "reference" and row.command
    ]


def _csv(leaderboards: list[Leaderboard]) -> str:
    """One line per row, what it was measured on and metric: the format of plotting libraries."""
    records = [record for leaderboard in leaderboards for record in _records(leaderboard)]
    return DataFrame(records, columns=RECORD, dtype=object).to_csv(index=False, lineterminator="\n")


def _records(leaderboard: Leaderboard) -> Iterator[tuple[object, ...]]:
    first = leaderboard.first
    for row in leaderboard.rows.values():
        means = {f"{len(item.targets)} {kind}": item.scores for kind, item in row.means.items()}
        scores_of = means or {group: item.scores for group, item in row.rows.items()}
        for group, scores in scores_of.items():
            for name, score in scores.items():
                yield (
                    first.protocol, first.protocol_digest[:12], len(first.seeds), row.label, group,
                    name, score.value, score.low, score.high, score.n, score.unit, row.trust,
                    score.over or "",
                )  # fmt: skip


def _latex(leaderboard: Leaderboard) -> str:
    return "\n".join(map(to_latex, leaderboard_tables(leaderboard, texts=False)))
