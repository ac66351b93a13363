"""A table as plain data; terminal, page and files render it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: What stands above it.
        align: Numbers to the right, names to the left.
        wrap: Whether a cell may be broken where the terminal is narrow.
    """

    heading: str
    align: Literal["left", "right"] = "right"
    wrap: bool = True


@dataclass(frozen=True)
class Line:
    """A line of a table: one cell a column; a cell's second line is its interval.

    Attributes:
        cells: Text.
        emphasis: ``bold`` for what is measured, ``dim`` for what it is read by.
    """

    cells: tuple[str, ...]
    emphasis: Literal["", "bold", "dim"] = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        title: What it shows.
        columns: From left to right.
        lines: From top to bottom.
        footer: Lines below a rule.
        caption: What the numbers are.
        warning: Why the table does not count; empty if it does.
    """

    title: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    footer: tuple[Line, ...] = ()
    caption: str = ""
    warning: str = ""
