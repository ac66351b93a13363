"""Tables as plain data, and as Markdown, CSV, LaTeX or on a terminal, with every text escaped.

A cell is text; a score is its value with its interval, ``93.1 [90.2, 95.4]``. CSV and LaTeX are
written by pandas. Markdown is not: pandas leaves it to tabulate, which escapes nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from rich.console import OverflowMethod
from rich.markup import escape
from rich.table import Table as TerminalTable

if TYPE_CHECKING:
    from pandas import DataFrame

Format = Literal["markdown", "csv", "latex"]
_SCORE = re.compile(r"([-+\d.,]+) (\[[-+\d., ]+\])")
_MARKDOWN = re.compile(r"([\\`*_~|<&\[])")
_LATEX = str.maketrans(
    {
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "|": r"\textbar{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "[": "{[}",
    }
)
r"""What pandas does not escape; a [ at the start of a row is an argument of the \\ before it."""


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        heading: Its heading; two columns may have the same.
        align: Numbers are aligned right.
        wrap: Whether its cells may be broken where a terminal is narrow.
    """

    heading: str
    align: Literal["left", "right"] = "right"
    wrap: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as plain data.

    Attributes:
        title: One line.
        columns: From left to right.
        rows: A text per column.
        caption: What the numbers are, in one line; empty if the title says it.
        emphasis: By row: ``bold`` for what is measured, ``dim`` for what it is read by.
        rule: Row that a rule is drawn above; None for none.
        warning: Why the numbers do not count; empty if they do.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    emphasis: Mapping[int, Literal["bold", "dim"]] = field(default_factory=dict)
    rule: int | None = None
    warning: str = ""


def score_parts(cell: str) -> tuple[str, str]:
    """Return the value of a cell, and its interval; of other text, the text and nothing."""
    score = _SCORE.fullmatch(cell)
    return (score[1], score[2]) if score else (cell, "")


def render(table: Table, format_name: Format) -> str:
    """Return a table as text in a format."""
    return {"markdown": to_markdown, "csv": to_csv, "latex": to_latex}[format_name](table)


def to_terminal(table: Table) -> TerminalTable:
    """Return a table for rich; the interval of a score is on a second line."""
    warning = f" · [red]{escape(table.warning)}[/]" if table.warning else ""
    shown = TerminalTable(
        title=f"{escape(table.title)}{warning}",
        title_style="bold",
        caption=escape(table.caption) or None,
    )
    for column in table.columns:
        overflow: OverflowMethod = "fold" if column.wrap else "ellipsis"
        shown.add_column(
            escape(column.heading),
            justify=column.align,
            no_wrap=not column.wrap,
            overflow=overflow,
        )
    for place, row in enumerate(table.rows):
        if place == table.rule:
            shown.add_section()
        cells = (escape(_SCORE.sub(r"\1\n\2", cell)) for cell in row)
        shown.add_row(*cells, style=table.emphasis.get(place))
    return shown


def to_markdown(table: Table) -> str:
    """Return a table in GitHub's Markdown, its title as a heading above."""
    headings = [markdown_text(column.heading) for column in table.columns]
    rules = ["---" if column.align == "left" else "---:" for column in table.columns]
    rows = [[markdown_text(cell) for cell in row] for row in table.rows]
    caption = [markdown_text(table.caption), ""] if table.caption else []
    lines = [f"| {' | '.join(row)} |" for row in (headings, rules, *rows)]
    return "\n".join([f"## {markdown_text(table.title)}", "", *caption, *lines, ""])


def to_csv(table: Table) -> str:
    """Return the columns of a table as CSV, without title and caption."""
    return _frame(table).to_csv(index=False, lineterminator="\n")


def to_latex(table: Table) -> str:
    """Return a ``tabular``, which needs booktabs; title and caption are comments above it."""
    styler = _frame(table).style.hide(axis="index").format(_latex, escape="latex")
    styler = styler.format_index(_latex, escape="latex", axis="columns")
    columns = "".join(column.align[0] for column in table.columns)
    comments = [f"% {_line(text)}\n" for text in (table.title, table.caption) if text]
    return "".join(comments) + styler.to_latex(hrules=True, column_format=columns)


def markdown_text(text: str) -> str:
    """Return a text that Markdown shows as it is; a score stays readable in the source."""
    return text if _SCORE.fullmatch(text) else _MARKDOWN.sub(r"\\\1", _line(text))


def markdown_code(text: str) -> str:
    """Return a text as a code span."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"`{text}`" if fence == "`" else f"{fence} {text} {fence}"


def _frame(table: Table) -> "DataFrame":
    from pandas import DataFrame

    headings = [column.heading for column in table.columns]
    return DataFrame(list(table.rows), columns=headings, dtype=object)


def _line(text: str) -> str:
    return " ".join(text.split())


def _latex(cell: object) -> str:
    """A cell that pandas has escaped; the interval of a score is in small print."""
    text = str(cell)
    score = _SCORE.fullmatch(text)
    return rf"{score[1]} {{\scriptsize {score[2]}}}" if score else _line(text).translate(_LATEX)
