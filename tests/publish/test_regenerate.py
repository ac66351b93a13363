"""Every command that the report prints parses back into the plan that made the numbers."""

import json
import shlex
from pathlib import Path

import pytest
from unlearncanvas.cli.backdoor_bench import make_backdoor_plan

from tests.fixtures import small_backdoor
from tests.fixtures.arguments import from_arguments
from tests.fixtures.in_process import run
from tests.fixtures.small_grid import ESD_SETTINGS, write_protocol
from unlearncanvas.engine.options import make_plan
from unlearncanvas.engine.run_flags import to_flags
from unlearncanvas.evaluations.backdoor.results import read_backdoor_results
from unlearncanvas.publish.report.attacks import attack_command
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.publish.report.command import command_of
from unlearncanvas.results.run_config import RunConfig, read_options

DOCS = Path(__file__).parents[2] / "docs" / "results"


def config_of(command):
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "unlearncanvas.bench"]
    config = read_options(from_arguments(words[3:]))
    assert command_of(config) == command
    return config


def plan_of(command):
    return make_plan(config_of(command))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--erase-seeds", "3,4", "--artifacts", "half", "--dtype", "float32", "--batch-size", "3"],
        ["--targets", "Neon Lines,Cat", "--seeds", "288", "--erase-seeds", "7"],
        ["--tier", "smoke", "--seeds", "288", "--eraser", "tests.fixtures.hooking_eraser:Hooking"],
    ],
)
def test_the_command_of_a_row_makes_its_plan_again(tmp_path, monkeypatch, options):
    write_protocol(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = [] if "tests.fixtures.hooking_eraser:Hooking" in options else ESD_SETTINGS
    eraser = ["--eraser", "esd"] if settings else ["--eraser", "uce"]
    done = run(
        "unlearncanvas.bench", *eraser, "--protocol", "small.yaml", "--device", "cpu", *options,
        *settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (board,) = collect([tmp_path / "runs"]).boards
    for label, entry in board.entries.items():
        plan, first = plan_of(entry.command), next(iter(entry.results.values()))
        assert plan.whole.digest == board.run.protocol_digest
        assert plan.protocol.cells() == plan.whole.cells()
        assert (plan.seeds, plan.model) == (board.run.seeds, board.run.model)
        jobs = [job for job in plan.jobs() if job.eraser is plan.erasers[-1]]
        if label in ("none", "noise"):
            jobs = [job for job in plan.jobs() if job.eraser.name == label]
        assert {str(target) for job in jobs for target in job.targets} == set(entry.results)
        assert {job.task.seed for job in jobs} == {first.erase_seed}
        assert json.loads(json.dumps(jobs[0].eraser.settings)) == first.settings
        (folder,) = {entry.files[first.target].parents[2]}
        assert plan.artifacts == board.run.config.artifacts
        if label != "hooking":
            assert plan.eraser_folder(jobs[0].eraser).name == folder.name


@pytest.mark.slow
def test_the_commands_of_an_attack_make_its_plan_again(tmp_path, monkeypatch):
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
    found = [read_backdoor_results(path) for path in tmp_path.rglob("results.json")]
    assert len(found) == 2
    for results in found:
        (row,) = results.attacks[0].rows[2:]
        plan = make_backdoor_plan(config_of(attack_command(results, results.attacks[0])))
        assert plan.whole.digest == results.protocol_digest
        assert json.loads(json.dumps(plan.erasers[0].settings)) == row.settings
        assert [item.name for item in plan.attacks] == [results.attacks[0].attack]


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
    results = read_backdoor_results(DOCS / "backdoor-evil-edit.json")
    (attack,) = results.attacks
    rows = [
        row.model_copy(update={"settings": {**row.settings, "steps": 7}})
        if row.label == "skd"
        else row
        for row in attack.rows
    ]
    command = attack_command(results, attack.model_copy(update={"rows": tuple(rows)}))
    assert command.count("--eraser") == len(rows) - 2
    assert "--set skd.steps=7" in command
    assert command.count("steps=7") == 1
    assert attack_command(results, attack.model_copy(update={"rows": attack.rows[:2]})) == ""


@pytest.mark.parametrize(
    "path",
    sorted([*DOCS.glob("mini-*.json"), *DOCS.glob("backdoor-*.json")]),
    ids=lambda path: path.stem,
)
def test_commands_for_the_results_in_the_docs_parse(path):
    found = collect([path])
    for board in found.boards:
        for entry in board.entries.values():
            assert config_of(entry.command).erasers
            if board.run.protocol == "mini-f32":  # a file that is not shipped
                continue
            plan = plan_of(entry.command)
            assert plan.seeds == board.run.seeds
            assert {str(target) for target in plan.targets} == {
                target for names in board.targets.values() for target in names
            }
    for item in found.backdoors:
        for attack in item.results.attacks:
            assert config_of(attack_command(item.results, attack)).erasers
