"""Every command that the report prints parses back into the evaluation that made the numbers."""

import json
import shlex
from pathlib import Path

import pytest

from tests.fixtures import small_backdoor
from tests.fixtures.arguments import from_arguments
from tests.fixtures.in_process import run
from tests.fixtures.small_grid import ESD_SETTINGS, write_protocol
from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.engine.run_flags import to_flags
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.publish.report.command import command_of, command_of_run
from unlearncanvas.results.reading import read_results
from unlearncanvas.results.run_config import RunConfig, read_options

DOCS = Path(__file__).parents[2] / "docs" / "results"


def config_of(command):
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "unlearncanvas.bench"]
    config = read_options(from_arguments(words[3:]))
    assert command_of(config) == command
    return config


def evaluation_again(command):
    return evaluation_of(config_of(command))


def jobs_of(evaluation, label):
    """The jobs that a command's own label has; a seed of several is not in it."""
    return [job for job in evaluation.jobs() if job.label == label.partition(" seed ")[0]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--erase-seeds", "3,4", "--artifacts", "half", "--dtype", "float32", "--batch-size", "3"],
        ["--targets", "Neon Lines,Cat", "--seeds", "288", "--erase-seeds", "7"],
        ["--tier", "smoke", "--seeds", "288", "--eraser", "tests.fixtures.hooking_eraser:Hooking"],
    ],
)
def test_the_command_of_a_row_makes_its_jobs_again(tmp_path, monkeypatch, options):
    write_protocol(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = [] if "tests.fixtures.hooking_eraser:Hooking" in options else ESD_SETTINGS
    eraser = ["--eraser", "esd"] if settings else ["--eraser", "uce"]
    done = run(
        "unlearncanvas.bench", *eraser, "--protocol", "small.yaml", "--device", "cpu", *options,
        *settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (leaderboard,) = collect([tmp_path / "runs"]).leaderboards
    first = leaderboard.first
    for label, row in leaderboard.rows.items():
        found, one = evaluation_again(row.command), next(iter(row.rows.values()))
        assert found.digest == first.protocol_digest
        assert (found.tier, found.seeds, found.model) == (first.tier, first.seeds, first.model)
        jobs = jobs_of(found, label)
        assert {job.group["target"] for job in jobs} == set(row.rows)
        assert {job.recipe.last.task.seed for job in jobs} == {one.erase_seed}
        assert json.loads(json.dumps(jobs[0].recipe.last.method.settings)) == one.settings
        assert found.artifacts == first.config.get("artifacts", "whole")
        if label != "hooking":
            folders = {found.root.parent / found.name / found.folder_of(job.recipe) for job in jobs}
            artifacts = {row.source.parent / item.artifact for item in row.rows.values()}
            assert {path.resolve() for path in folders} == {path.resolve() for path in artifacts}


@pytest.mark.slow
def test_the_commands_of_an_attack_make_its_jobs_again(tmp_path, monkeypatch):
    small_backdoor.write_protocol(tmp_path)
    small_backdoor.write_attack(tmp_path)
    monkeypatch.chdir(tmp_path)
    protocol = next(path.name for path in tmp_path.glob("*.yaml") if "attacks:" in path.read_text())
    attack = next(path.name for path in tmp_path.glob("*.yaml") if path.name != protocol)
    for name, setting in (("skd-cag", "words=[calm, tall]"), ("skd", "ema_decay=0.5")):
        done = run(
            "unlearncanvas.bench", "--protocol", protocol, "--device", "cpu", "--targets", attack,
            "--eraser", name, "--set", "steps=1", "--set", "batch_size=1", "--set", setting,
            "--dtype", "float32",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    (leaderboard,) = collect([tmp_path / "runs"]).leaderboards
    assert len(leaderboard.runs) == 2
    assert set(leaderboard.rows) == {"clean model", "poisoned", "skd-cag", "skd"}
    for label in ("skd-cag", "skd"):
        row = leaderboard.rows[label]
        (one,) = row.rows.values()
        for command in (row.command, command_of_run(row.run.results)):
            found = evaluation_again(command)
            assert found.digest == row.run.results.protocol_digest
            (job,) = jobs_of(found, label)
            assert dict(job.group) == one.group == leaderboard.group
            assert json.loads(json.dumps(job.recipe.last.method.settings)) == one.settings
    assert leaderboard.rows["clean model"].command == ""
    erasers = ("--eraser", "skd", "--eraser", "skd-cag")
    compared = run("unlearncanvas.cli.main", "compare", "runs", "runs", *erasers)
    assert compared.returncode == 0, compared.stderr
    lines = [line.split("│") for line in compared.stdout.splitlines()]
    found = {line[2].strip(): [cell.strip() for cell in line] for line in lines if len(line) > 8}
    values = [
        leaderboard.rows[label].rows[leaderboard.group["attack"]].scores["attack_success_rate"]
        for label in ("skd", "skd-cag")
    ]
    line = found["attack success rate"]
    assert line[3:5] == [f"{score.value:.1f}" for score in values]
    assert line[5] == f"{values[0].value - values[1].value:+.1f}"
    assert line[6]
    assert not found["clean style accuracy"][6]  # not compared image by image


def test_settings_are_written_as_they_are_read():
    settings = {
        "none": None, "flag": True, "text": "null", "number": "1e-5", "small": 1e-5, "empty": "",
        "words": ["calm", "yes", "a, b"], "prompt": "{words} Style: 'x'", "nested": {"a": [None]},
    }  # fmt: skip
    config = RunConfig(erasers=("esd",), settings=settings)
    words = shlex.split(shlex.join(to_flags(config)))
    assert words[2::2] == ["--set"] * len(settings)
    assert read_options(from_arguments(words)) == config


def test_a_setting_is_that_of_its_eraser():
    results = read_results(DOCS / "backdoor-evil-edit.json")
    rows = [
        row.model_copy(update={"settings": {**row.settings, "steps": 7}})
        if row.label == "skd"
        else row
        for row in results.rows
    ]
    command = command_of_run(results.model_copy(update={"rows": tuple(rows)}))
    assert command.count("--eraser") == len(rows) - 2
    assert "--set skd.steps=7" in command
    assert command.count("steps=7") == 1
    assert command_of_run(results.model_copy(update={"rows": results.rows[:2]})) == ""


@pytest.mark.parametrize(
    "path",
    sorted([*DOCS.glob("mini-*.json"), *DOCS.glob("backdoor-*.json")]),
    ids=lambda path: path.stem,
)
def test_commands_for_the_results_in_the_docs_parse(path):
    (leaderboard,) = collect([path]).leaderboards
    first = leaderboard.first
    for label, row in leaderboard.rows.items():
        if label in ("clean model", "poisoned"):
            assert row.command == ""
            continue
        assert config_of(row.command).erasers == (label,)
        if first.protocol == "mini-f32":  # a file that is not shipped
            continue
        jobs = jobs_of(evaluation_again(row.command), label)
        if leaderboard.group:
            assert [dict(job.group) for job in jobs] == [leaderboard.group]
            continue
        assert {job.image_sets[0].seeds for job in jobs} == {first.seeds}
        assert {job.group["target"] for job in jobs} == {
            target for names in leaderboard.targets.values() for target in names
        }
