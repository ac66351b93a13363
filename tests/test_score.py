"""Means over targets, and what the table shows."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from unlearncanvas.protocol import load_protocol
from unlearncanvas.results import Row, RunResults, read_results, write_results
from unlearncanvas.score import mean_scores, target_scores
from unlearncanvas.tables import cell, size, tables
from unlearncanvas.types import Answers, Concept, Score

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def score(value, **more):
    return Score(value=value, n=10, **more)


def test_means_have_an_interval_from_five_targets_on():
    few = mean_scores([{"ua": score(value)} for value in (10, 20, 30, 40)])["ua"]
    assert (few.value, few.n, few.low) == (25, 4, None)
    many = mean_scores([{"ua": score(value)} for value in (10, 20, 30, 40, 50)])["ua"]
    assert many.value == 30
    assert 10 <= many.low < 30 < many.high <= 50


def test_a_cell_shows_value_and_interval():
    assert cell(score(12.34)) == "12.3"
    assert cell(score(12.34, low=10, high=15)) == "12.3\n\\[10.0, 15.0]"
    assert cell(Score(value=1.234, n=1, unit="FID")) == "1.23"
    assert cell(Score(value=-12.345, n=1, unit="KID")) == "-12.3"
    assert cell(Score(value=2314.5, n=1, low=2269.4, high=2379.1, unit="KID")) == (
        "2314\n\\[2269, 2379]"
    )
    assert (size(900), size(12_340_000)) == ("900 B", "12.3 MB")


@pytest.mark.parametrize("path", sorted(RESULTS.glob("mini-*.json")), ids=lambda path: path.stem)
def test_no_digit_is_lost_in_a_narrow_terminal(path):
    narrow = Console(width=80, file=io.StringIO())
    for table in tables(read_results(path)):
        narrow.print(table)
    assert "…" not in narrow.file.getvalue()


def run_results(**changes):
    row = Row(
        label="esd", kind="style", targets=("style:Mosaic",),
        scores={"unlearning_accuracy": score(91.5)}, ufe=8960, erase_seconds=30.2,
        stored_bytes=1e6, peak_memory_bytes=None, seconds_per_image=0.1,
    )  # fmt: skip
    values = {
        "protocol": "mini", "protocol_digest": "d" * 64, "tier": "quick", "limited": True,
        "seeds": (188,), "model": "minicanvas", "base_digest": "b" * 64, "rows": (row,),
        "floors": {}, "results": (), "environment": {},
    }  # fmt: skip
    return RunResults(**(values | changes))


def test_the_table_says_what_it_is():
    console = Console(width=160, record=True, file=io.StringIO())
    for table in tables(run_results()):
        console.print(table)
    text = console.export_text()
    for part in (
        "Forgetting 1 style",
        "limited",
        "1 seed",
        "91.5",
        "8,960",
        "30.2",
        "dddddddddddd",
    ):
        assert part in text


def test_published_rows_stand_beside_the_measured_ones():
    console = Console(width=160, record=True, file=io.StringIO())
    row = run_results().rows[0]
    scores = {
        name: score(50.0)
        for name in (
            "unlearning_accuracy", "in_domain_retain_accuracy", "cross_domain_retain_accuracy",
            "fid_inception_clean",
        )
    }  # fmt: skip
    rows = (row.model_copy(update={"scores": scores}),)
    for table in tables(run_results(rows=rows, published="unlearncanvas")):
        console.print(table)
    text = console.export_text()
    (line,) = [line for line in text.splitlines() if "esd, as published*" in line]
    assert [part.strip() for part in line.split("│")[2:6]] == ["98.6", "81.0", "94.0", ""]
    assert "*as published, not reproduced" in text


def test_a_thinned_grid_is_scored_on_its_own_cells():
    """A baseline's whole grid counts only where the target's thinned one was drawn."""
    rules = load_protocol("mini-fast")
    target = Concept(kind="style", name="Mosaic")
    cells, drawn = rules.cells(), set(rules.cells_for(target))
    right = Answers(
        cells=cells, seeds=[1] * len(cells), style_pred=[cell.style for cell in cells],
        object_pred=[cell.object if cell in drawn else "wrong" for cell in cells],
    )  # fmt: skip
    scores = target_scores(rules, right, target, None)
    assert scores["cross_domain_retain_accuracy"].value == 100
    assert scores["cross_domain_retain_accuracy"].n == len(drawn) - 10
    assert scores["unlearning_accuracy"].n == 10


def test_results_survive_the_disk_and_refuse_another_version(tmp_path):
    path = write_results(tmp_path, run_results())
    assert read_results(path) == run_results()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(ValueError, match="not a readable results"):
        read_results(path)
