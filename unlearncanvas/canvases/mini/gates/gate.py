"""One requirement and what was measured, and a table of them."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table

HEADINGS = ("gate", "wanted", "found", "")


class Gate(NamedTuple):
    """One requirement and what was measured.

    Attributes:
        name: What is measured.
        wanted: The limit.
        found: What came out.
        passed: Whether it keeps the limit.
    """

    name: str
    wanted: str
    found: str
    passed: bool


def to_table(gates: Sequence[Gate]) -> Table:
    """Return the gates for a terminal."""
    table = Table(*HEADINGS, title="Mini canvas", show_lines=True)
    for gate in gates:
        table.add_row(*gate[:3], "[green]pass[/]" if gate.passed else "[red]MISS[/]")
    return table


def to_markdown(gates: Sequence[Gate]) -> str:
    """Return the gates as a table of Markdown."""
    rows = [(*gate[:3], "pass" if gate.passed else "MISS") for gate in gates]
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
