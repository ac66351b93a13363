"""Means over targets, and what the table shows."""

import io

from rich.console import Console

from unlearncanvas.report import cell, size, tables
from unlearncanvas.results import Row, RunResults, read_results, write_results
from unlearncanvas.score import mean_scores
from unlearncanvas.types import Score


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
    assert (size(900), size(12_340_000)) == ("900 B", "12.3 MB")


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


def test_results_survive_the_disk_and_refuse_another_version(tmp_path):
    import json

    import pytest

    path = write_results(tmp_path, run_results())
    assert read_results(path) == run_results()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(ValueError, match="not a readable results"):
        read_results(path)
