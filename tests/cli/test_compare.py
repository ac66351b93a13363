"""``unlearncanvas compare`` of several runs: what each measure tells apart."""

import csv
from pathlib import Path

import pytest

from tests.fixtures.in_process import run

ROOT = Path(__file__).parents[2]
BUNDLES = [
    str(ROOT / "tests" / "historic" / "submissions-0.6" / "mini" / name)
    for name in ("esd", "spm", "uce")
]
MEASURE = ("--measure", "in_domain_retain_accuracy")


def compare(*args):
    return run("unlearncanvas.cli.main", "compare", *args)


@pytest.fixture(scope="module")
def printed():
    done = compare(*BUNDLES, *MEASURE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_three_runs_give_a_summary_and_a_table_for_each_kind_of_target(printed):
    assert printed.index("Pairs of 3 erasers") < printed.index("style IRA ↑: ")
    assert printed.index("style IRA ↑: ") < printed.index("object IRA ↑: ")
    assert all(name in printed for name in ("esd", "spm", "uce"))
    assert "UA" not in printed


def test_the_tables_agree_with_each_other(printed):
    done = compare(*BUNDLES, *MEASURE, "--format", "csv")
    assert done.returncode == 0, done.stderr
    summary, *tables = [
        list(csv.DictReader(text.splitlines())) for text in done.stdout.split("\n\n")
    ]
    assert [line["measure"] for line in summary] == ["style IRA ↑", "object IRA ↑"]
    for line, table in zip(summary, tables, strict=True):
        assert line["pairs"] == "3"
        marks = "".join(row["against 1, 2, ..."] for row in table)
        assert marks.count("x") == 2 * int(line["simultaneously"])
        assert marks.count("o") == 2 * (int(line["one by one"]) - int(line["simultaneously"]))
        means = [float(row["mean"]) for row in table]
        assert means == sorted(means, reverse=True)
        for place, row in enumerate(table, start=1):
            best, worst = map(int, row["rank"].split("-"))
            assert best <= place <= worst
            for mark, other in zip(row["against 1, 2, ..."].split(), table, strict=True):
                share = bool(set(row["groups"]) & set(other["groups"]))
                assert share == (mark != "x")


def test_a_pair_prints_the_measures_that_are_named():
    done = compare(*BUNDLES[:2], *MEASURE)
    assert done.returncode == 0, done.stderr
    assert "esd - spm, mini" in done.stdout
    assert "IRA" in done.stdout
    assert "UA" not in done.stdout


def test_what_cannot_be_compared_says_why(tmp_path):
    for args, message in (
        (BUNDLES[:1], "esd is the only eraser here; name another run"),
        ([*BUNDLES, "--measure", "ira"], "no score named 'ira' here; choose from"),
        ([*BUNDLES, "--measure", "fid_minicanvas"], "has values for enough images"),
        ([*BUNDLES, "--eraser", "esd", "--eraser", "uce"], "once for each of the 3 runs, got 2"),
    ):
        done = compare(*args)
        assert done.returncode == 2
        assert message in " ".join(done.stderr.split())
