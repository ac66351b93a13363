"""The tables of what each measure tells apart."""

import io

import pytest
from rich.console import Console

from tests.metrics.test_separation import made
from unlearncanvas.results.export import to_csv, to_markdown, to_terminal
from unlearncanvas.results.headings import heading_of
from unlearncanvas.results.separations import SeparatedRows, separation_table, summary_table


@pytest.fixture
def measured():
    """Four erasers; all pairs but neighbors are told apart, and the best from the second."""
    found = made([70.0, 99.0, 80.0, 90.0], {(0, 1), (1, 2), (1, 3), (0, 3)})
    return SeparatedRows(
        kind="style",
        heading=heading_of("unlearning_accuracy"),
        labels=("esd", "uce", "spm", "ca"),
        found=found,
    )


def test_the_summary_counts_pairs(measured):
    table = summary_table([measured])
    assert table.title == "Pairs of 4 erasers that each measure tells apart"
    assert table.rows == [("style UA ↑", "4", "4", "6")]


def test_a_table_has_means_ranks_letters_and_pairs_the_best_first(measured):
    table = separation_table(measured)
    assert table.title == "style UA ↑: 4 of 6 pairs told apart, 4 simultaneously"
    assert table.rows == [
        ("1", "uce", "99.0", "1-1", "a", ". x x x"),
        ("2", "ca", "90.0", "2-3", "b", "x . - x"),
        ("3", "spm", "80.0", "2-4", "bc", "x - . -"),
        ("4", "esd", "70.0", "3-4", "c", "x x - ."),
    ]
    assert measured.letters() == {"esd": "c", "uce": "a", "spm": "bc", "ca": "b"}
    assert "1,uce,99.0,1-1,a,. x x x\n" in to_csv(table)
    assert "| 3 | spm | 80.0 | 2-4 | bc | x - . - |" in to_markdown(table)


def test_a_pair_apart_only_alone_has_a_mark_of_its_own(measured):
    first, *others = measured.found.pairs
    alone = first._replace(simultaneous=first.simultaneous._replace(low=-99.0, high=99.0))
    found = made(measured.found.means, set())
    found = type(found)(means=found.means, pairs=(alone, *others), higher_is_better=True)
    table = separation_table(SeparatedRows(**{**vars(measured), "found": found}))
    assert [row[-1] for row in table.rows] == [". x x o", "x . - x", "x - . -", "o x - ."]
    assert table.title == "style UA ↑: 4 of 6 pairs told apart, 3 simultaneously"


def test_fourteen_erasers_fit_into_80_columns():
    labels = tuple(f"eraser-{place}" for place in range(14))
    measured = SeparatedRows(
        kind="object",
        heading=heading_of("target_cross_domain_accuracy"),
        labels=labels,
        found=made([100.0 - place for place in range(14)], set()),
    )
    console = Console(file=io.StringIO(), width=80)
    console.print(to_terminal(separation_table(measured)))
    printed = console.file.getvalue()
    assert all(f" {label} " in printed for label in labels)
    assert "- " * 13 + "." in printed
    assert "…" not in printed
