"""Where results lie and how they are found: other rules, another folder; no depth and no age."""

import json
import os
from pathlib import Path

import pytest

from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.results.run_config import read_options

DOCS = Path(__file__).parents[2] / "docs" / "results"


def folders(**changes):
    """The run folder of an evaluation."""
    asked = {"erasers": ["uce"], "tier": "smoke", "device": "cpu", "dtype": "float32"}
    return {evaluation_of(read_options(asked | changes)).run_folder()}


@pytest.mark.parametrize(
    "other",
    [
        {"dtype": "bfloat16"},
        {"batch_size": 3},
        {"optimize": "channels-last"},
        {"model": "elsewhere"},
        {"targets": "Cat"},
        {"seeds": "188,289"},
    ],
)
def test_another_drawing_has_other_folders(other):
    assert not folders() & folders(**other)
    assert folders(**other) == folders(**other)


def test_parts_of_ones_own_have_folders_of_their_own():
    assert not folders(targets="Cat") & folders(targets="Sun")
    assert not folders(seeds="5") & folders(seeds="6")
    assert not folders(erase_seeds="1") & folders(erase_seeds="0")
    assert folders(erase_seeds="0") == folders()


def test_a_backdoor_run_on_another_base_model_or_batch_has_another_folder():
    def folder(**changes):
        asked = {"erasers": ["skd"], "protocol": "backdoor", "tier": "smoke", "device": "cpu"}
        return evaluation_of(read_options(asked | changes)).run_folder()

    assert len({folder(), folder(model="elsewhere"), folder(batch_size=3)}) == 3


def write(path, change=lambda run: None):
    run = json.loads((DOCS / "mini-full-salun.json").read_text())
    change(run)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(run))
    return path


def better(run):
    run["rows"][-1]["scores"]["unlearning_accuracy"]["value"] = 1.25


def test_of_two_runs_that_differ_both_are_shown_whatever_their_age(tmp_path):
    paths = [
        write(tmp_path / "one" / "full" / "results.json"),
        write(tmp_path / "two" / "full" / "results.json"),
        write(tmp_path / "three" / "full" / "results.json", better),
    ]
    expected = ["noise", "none", "salun, in one/full/results", "salun, in three/full/results"]
    for order in (paths, paths[::-1]):
        for age, path in enumerate(order):
            os.utime(path, (age, age))
        (found,) = collect([tmp_path]).leaderboards
        assert sorted(found.rows) == expected
        assert {row.eraser for row in found.rows.values()} == {"none", "noise", "salun"}
        scores = found.rows[expected[-1]].means["object"].scores
        assert scores["unlearning_accuracy"].value == 1.25
        assert found.rows["none"].status == "reference"
