"""Tables in every format: the text that a reader sees is the text that the table holds."""

import csv
import io
import re

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from unlearncanvas.results.export import (
    Column,
    Table,
    markdown_code,
    markdown_text,
    render,
    to_csv,
    to_latex,
    to_markdown,
    to_terminal,
)

HOSTILE = r"a_b* & |c|% $d$ #1 {e} ~f^g <b>\x</b> `k` [l](m) \\"
TABLE = Table(
    title="r_1 · 100 %",
    columns=[Column("eraser", "left"), Column("style UA_x ↑"), Column("FID ↓"), Column("FID ↓")],
    rows=[
        [HOSTILE, "93.1 [90.2, 95.4]", "1,024 MB", ""],
        ["[x], lr=0.1", "-0.5 [-1.0, +0.2]", "12.0", "not measured"],
    ],
    caption="95 % over the cells",
)


def cells(text):
    """The table of a Markdown text as a reader of GitHub sees it."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    inline = [token for token in tokens if token.type == "inline"]
    assert all(child.type == "text" for token in inline for child in token.children)
    return ["".join(child.content for child in token.children) for token in inline]


def test_markdown_shows_the_texts():
    headings = [column.heading for column in TABLE.columns]
    shown = [cell.strip() for row in TABLE.rows for cell in row]
    assert cells(to_markdown(TABLE)) == [TABLE.title, TABLE.caption, *headings, *shown]
    assert "| --- | ---: | ---: | ---: |" in to_markdown(TABLE)
    assert "| 93.1 [90.2, 95.4] |" in to_markdown(TABLE)


def test_csv_holds_the_texts():
    headings = [column.heading for column in TABLE.columns]
    assert list(csv.reader(io.StringIO(to_csv(TABLE)))) == [headings, *TABLE.rows]


def test_latex_by_hand():
    name = (
        r"a\_b* \& \textbar{}c\textbar{}\% \$d\$ \#1 \{e\} \textasciitilde f\textasciicircum g "
        r"\textless{}b\textgreater{}\textbackslash x\textless{}/b\textgreater{} `k` {[}l](m) "
        r"\textbackslash \textbackslash"
    )
    assert to_latex(TABLE).splitlines() == [
        "% r_1 · 100 %",
        "% 95 % over the cells",
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r"eraser & style UA\_x $\uparrow$ & FID $\downarrow$ & FID $\downarrow$ \\",
        r"\midrule",
        rf"{name} & 93.1 {{\scriptsize [90.2, 95.4]}} & 1,024 MB &  \\",
        r"{[}x], lr=0.1 & -0.5 {\scriptsize [-1.0, +0.2]} & 12.0 & not measured \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_a_name_of_two_lines_is_one_row():
    table = Table(title="a\nb", columns=[Column("c\nd")], rows=[["e\n\n% f"]], caption="g\nh")
    assert cells(to_markdown(table)) == ["a b", "g h", "c d", "e % f"]
    assert to_latex(table).splitlines()[:2] == ["% a b", "% g h"]
    assert r"e \% f \\" in to_latex(table).splitlines()


def test_a_table_without_rows_or_caption():
    table = Table(title="empty", columns=[Column("a"), Column("b")], rows=[])
    assert to_markdown(table) == "## empty\n\n| a | b |\n| ---: | ---: |\n"
    assert to_csv(table) == "a,b\n"
    assert to_latex(table).startswith("% empty\n\\begin{tabular}{rr}\n\\toprule\na & b \\\\\n")


def test_the_terminal_shows_names_as_text_and_intervals_below_values():
    console = Console(width=120, file=io.StringIO(), emoji=False)
    table = Table(
        title="[bold]t", columns=[Column("[red]a")], rows=[["[b]x[/b]"], ["1.0 [0.5, 2.0]"]]
    )
    console.print(to_terminal(table))
    lines = [line.strip("│┃ ") for line in console.file.getvalue().splitlines()]
    assert [line for line in lines if re.search(r"\w", line)] == [
        "[bold]t", "[red]a", "[b]x[/b]", "1.0", "[0.5, 2.0]",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["--set name='a`b'", "`` x", "a | b", "plain"])
def test_code_is_one_span(text):
    (line,) = (token for token in MarkdownIt().parse(markdown_code(text)) if token.children)
    assert [(child.type, child.content) for child in line.children] == [("code_inline", text)]


def test_every_format_by_name():
    assert render(TABLE, "markdown") == to_markdown(TABLE)
    assert render(TABLE, "csv") == to_csv(TABLE)
    assert render(TABLE, "latex") == to_latex(TABLE)
    assert markdown_text("a_b") == r"a\_b"
