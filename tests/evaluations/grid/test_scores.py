"""Means over targets, and what the table shows."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from metrics.base import Predictions, Score
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.evaluations.grid.scores import target_scores
from unlearncanvas.evaluations.grid.tables import tables
from unlearncanvas.results.aggregate import mean_scores
from unlearncanvas.results.cells import score_cell, size
from unlearncanvas.results.export import to_terminal
from unlearncanvas.results.reading import read_results
from unlearncanvas.results.schema import MeanRow, Results, write_results
from unlearncanvas.types import Concept

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def score(value, **more):
    return Score(value=value, n=10, **more)


def means(name, values, half=None):
    ends = [{} if half is None else {"low": value - half, "high": value + half} for value in values]
    rows = [{name: score(value, **more)} for value, more in zip(values, ends, strict=True)]
    return mean_scores(rows)[name]


def test_the_mean_of_few_targets_is_over_their_cells():
    """Errors of cells that targets share do not average out; of the targets' own cells they do."""
    shared = means("in_domain_retain_accuracy", (70, 80, 90), half=6)
    assert (shared.value, shared.low, shared.high, shared.over) == (80, 74, 86, "cells")
    own = means("unlearning_accuracy", (70, 80, 90), half=6)
    assert own.over == "cells"
    assert (own.low, own.high) == pytest.approx((80 - 6 / 3**0.5, 80 + 6 / 3**0.5))
    unknown = means("metric_of_another_version", (70, 80, 90), half=6)
    assert (unknown.low, unknown.high) == (74, 86)
    assert means("unlearning_accuracy", (70, 80, 90)).low is None


def test_the_mean_of_five_targets_is_over_new_targets():
    many = means("unlearning_accuracy", (10, 20, 30, 40, 50))
    assert (many.value, many.n, many.over) == (30, 5, "targets")
    assert 12 < many.low < 15
    assert 50 < many.high < 54
    fid = mean_scores([{"fid": score(value, unit="FID")} for value in (1, 2, 3, 4, 5)])["fid"]
    assert fid.low == pytest.approx(3 - 2.7764451 * 2.5**0.5 / 5**0.5)


def test_equal_targets_are_no_certainty():
    """Six targets of 100 % with 10 cells each: the seventh may be below."""
    same = mean_scores([{"in_domain_retain_accuracy": score(100, low=72, high=100)}] * 6)
    found = same["in_domain_retain_accuracy"]
    assert (found.low, found.high) == pytest.approx((100 - 28 / 6**0.5, 100))


@pytest.mark.parametrize(
    ("count", "low", "over", "said"),
    [
        (1, 80, "cells", "95 % over the cells of this target alone"),
        (3, 80, "cells", "95 % over the cells of these 3 targets alone"),
        (6, 80, "targets", "95 % over targets"),
        (6, 80, None, "95 % over targets"),
        (3, None, None, "means only"),
    ],
)
def test_the_caption_says_what_the_intervals_are_over(count, low, over, said):
    row = run_results().means[0]
    ends = {"low": low, "high": None if low is None else 95, "over": over}
    scores = {"unlearning_accuracy": score(91.5, **ends)}
    rows = (row.model_copy(update={"scores": scores, "targets": ("style:Mosaic",) * count}),)
    assert said in tables(run_results(means=rows))[0].caption


def test_a_cell_shows_value_and_interval():
    assert score_cell(score(12.34)) == "12.3"
    assert score_cell(score(12.34, low=10, high=15)) == "12.3 [10.0, 15.0]"
    assert score_cell(Score(value=1.234, n=1, unit="FID")) == "1.23"
    assert score_cell(Score(value=-12.345, n=1, unit="KID")) == "-12.3"
    assert score_cell(Score(value=2314.5, n=1, low=2269.4, high=2379.1, unit="KID")) == (
        "2314 [2269, 2379]"
    )
    assert (size(900), size(12_340_000)) == ("900 B", "12.3 MB")


@pytest.mark.parametrize("path", sorted(RESULTS.glob("mini-*.json")), ids=lambda path: path.stem)
def test_no_digit_is_lost_in_a_narrow_terminal(path):
    narrow = Console(width=80, file=io.StringIO())
    for table in tables(read_results(path)):
        narrow.print(to_terminal(table))
    assert "…" not in narrow.file.getvalue()


def run_results(**changes):
    row = MeanRow(
        label="esd", kind="style", targets=("style:Mosaic",),
        scores={"unlearning_accuracy": score(91.5)}, ufe=8960, erase_seconds=30.2,
        stored_bytes=1e6, peak_memory_bytes=None, seconds_per_image=0.1,
    )  # fmt: skip
    values = {
        "evaluation": "grid", "protocol": "mini", "protocol_digest": "d" * 64, "tier": "quick",
        "subset": True, "seeds": (188,), "model": "minicanvas", "base_digest": "b" * 64,
        "rows": (), "means": (row,), "environment": {},
    }  # fmt: skip
    return Results(**(values | changes))


def test_the_table_says_what_it_is():
    console = Console(width=160, record=True, file=io.StringIO())
    for table in tables(run_results()):
        console.print(to_terminal(table))
    text = " ".join(console.export_text().split())
    for part in (
        "Forgetting 1 style",
        "subset",
        "1 seed",
        "91.5",
        "8,960",
        "30.2",
        "dddddddddddd",
    ):
        assert part in text


def test_published_rows_stand_beside_the_measured_ones():
    console = Console(width=160, record=True, file=io.StringIO())
    row = run_results().means[0]
    scores = {
        name: score(50.0)
        for name in (
            "unlearning_accuracy", "in_domain_retain_accuracy", "cross_domain_retain_accuracy",
            "fid_inception_clean",
        )
    }  # fmt: skip
    rows = (row.model_copy(update={"scores": scores}),)
    for table in tables(run_results(means=rows, published="unlearncanvas")):
        console.print(to_terminal(table))
    text = console.export_text()
    (line,) = [line for line in text.splitlines() if "esd, as published*" in line]
    assert [part.strip() for part in line.split("│")[2:6]] == ["98.6", "81.0", "94.0", ""]
    assert "*as published, not reproduced" in " ".join(text.split())


BY_NAME = ("unlearning_accuracy", "cross_domain_retain_accuracy")
"""Metrics that need the names alone that the detectors give."""


def test_a_thinned_grid_is_scored_on_its_own_cells():
    """A baseline's whole grid counts only where the target's thinned one was drawn."""
    rules = load_protocol("mini-fast").model_copy(update={"metrics": BY_NAME})
    target = Concept(kind="style", name="Mosaic")
    cells, drawn = rules.cells(), set(rules.cells_for(target))
    right = Predictions(
        cells=cells, seeds=[1] * len(cells), style_pred=[cell.style for cell in cells],
        object_pred=[cell.object if cell in drawn else "wrong" for cell in cells],
    )  # fmt: skip
    scores = target_scores(rules, right, target, None).scores
    assert scores["cross_domain_retain_accuracy"].value == 100
    assert scores["cross_domain_retain_accuracy"].n == len(drawn) - 10
    assert scores["unlearning_accuracy"].n == 10


def test_results_survive_the_disk_and_refuse_another_version(tmp_path):
    path = write_results(tmp_path, run_results())
    assert read_results(path) == run_results(folder=tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(ValueError, match="not a readable results"):
        read_results(path)
