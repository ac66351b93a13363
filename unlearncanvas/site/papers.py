"""The tables for papers: Markdown, CSV, LaTeX."""

import csv
import io
from pathlib import Path

from unlearncanvas.files import write_text
from unlearncanvas.site.collect import Board, Collection
from unlearncanvas.site.columns import Column, columns_of, intervals_text

TEXTS = ("family", "leaves", "measured")
LATEX = {"%": r"\%", "_": r"\_", "&": r"\&", "#": r"\#", "↑": r"$\uparrow$", "↓": r"$\downarrow$"}


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


def _markdown(board: Board) -> str:
    columns = columns_of(board)
    lines = [
        f"## {board.title}",
        "",
        f"Protocol digest `{board.run.protocol_digest[:12]}`, base `{board.run.model}`. "
        f"{intervals_text(board)}.",
        "",
        "| eraser | " + " | ".join(column.heading for column in columns) + " |",
        "|".join(["", "---", *(_rule(column) for column in columns), ""]),
    ]
    for entry in board.entries.values():
        cells = [column.text(entry).replace("|", r"\|") for column in columns]
        lines.append(f"| `{entry.label}` | " + " | ".join(cells) + " |")
    commands = [
        f"- `{entry.label}`: `{entry.command}`"
        for entry in board.entries.values()
        if entry.standing != "reference" and entry.command
    ]
    return "\n".join([*lines, "", "How to make them again:", "", *commands, ""])


def _rule(column: Column) -> str:
    return "---" if column.name in TEXTS else "---:"


def _csv(boards: list[Board]) -> str:
    """One line for every eraser, kind of target and metric: what plotting programs like."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["protocol", "protocol_digest", "seeds", "eraser", "targets", "metric", "value", "low",
         "high", "n", "unit", "measured", "over"]
    )  # fmt: skip
    for board in boards:
        for entry in board.entries.values():
            for kind, row in entry.rows.items():
                for name, score in row.scores.items():
                    writer.writerow(
                        [board.run.protocol, board.run.protocol_digest[:12], len(board.run.seeds),
                         entry.label, f"{len(row.targets)} {kind}", name, score.value, score.low,
                         score.high, score.n, score.unit, entry.trust,
                         score.over or ""]
                    )  # fmt: skip
    return out.getvalue()


def _latex(board: Board) -> str:
    columns = [column for column in columns_of(board) if column.name not in TEXTS]
    lines = [
        f"% {board.title}, protocol digest {board.run.protocol_digest[:12]}; needs booktabs",
        f"% {intervals_text(board)}",
        r"\begin{tabular}{l" + "r" * len(columns) + "}",
        r"\toprule",
        " & ".join(["eraser", *(_escaped(column.heading) for column in columns)]) + r" \\",
        r"\midrule",
    ]
    for entry in board.entries.values():
        cells = [_number(column, column.text(entry)) for column in columns]
        lines.append(" & ".join([_escaped(entry.label), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _number(column: Column, text: str) -> str:
    """A score with its interval in small print."""
    value, bracket, interval = text.partition(" [")
    if not column.kind or not bracket:
        return _escaped(text)
    return f"{value} {{\\scriptsize [{interval}}}"


def _escaped(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)
