"""Every command that the report prints parses back into the plan that made the numbers."""

import json
import shlex
from pathlib import Path

import pytest
import typer

from tests.fixtures import small_backdoor_exam
from tests.fixtures.in_process import run
from tests.fixtures.small_exam import ESD_SETTINGS, write_protocol
from unlearncanvas.canvases.sources import SHIPPED
from unlearncanvas.cli.backdoor_bench import make_backdoor_plan
from unlearncanvas.cli.bench import app
from unlearncanvas.core.config import parse_overrides
from unlearncanvas.engine.options import make_plan, pick_device
from unlearncanvas.evaluations.backdoor.results import read_backdoor_results
from unlearncanvas.publish.report.attacks import commands_of
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.publish.report.command import set_options

DOCS = Path(__file__).parents[2] / "docs" / "results"


def options_of(command):
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "unlearncanvas.bench"]
    context = typer.main.get_command(app).make_context("bench", words[3:])
    return dict(context.params)


def plan_of(command):
    asked = options_of(command)
    return make_plan(
        **{key: asked[key] for key in (
            "protocol", "model", "tier", "targets", "seeds", "erase_seeds", "device", "dtype",
            "optimize", "keep_images", "artifacts", "skip_base_check",
        )},
        erasers=asked["eraser"], settings=asked["settings"] or [], out=Path(asked["out"]),
        batch_size=None if asked["batch_size"] is None else int(asked["batch_size"]),
        sources=SHIPPED,
    )  # fmt: skip


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
        assert plan.artifacts == board.run.asked.artifacts
        if label != "hooking":
            assert plan.eraser_folder(jobs[0].eraser).name == folder.name


@pytest.mark.slow
def test_the_commands_of_an_attack_make_its_plan_again(tmp_path, monkeypatch):
    small_backdoor_exam.write_protocol(tmp_path)
    small_backdoor_exam.write_attack(tmp_path)
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
        (command,) = commands_of(results, results.attacks[0])
        asked = options_of(command)
        plan = make_backdoor_plan(
            erasers=asked["eraser"], protocol=asked["protocol"], tier=asked["tier"],
            attacks=[asked["targets"]], settings=asked["settings"], known=asked["known"],
            knowledge=asked["knowledge"], device=pick_device(asked["device"]), out=tmp_path,
            model=asked["model"], dtype=asked["dtype"], batch_size=int(asked["batch_size"]),
        )  # fmt: skip
        assert plan.whole.digest == results.protocol_digest
        assert json.loads(json.dumps(plan.erasers[0].settings)) == row.settings
        assert [item.name for item in plan.attacks] == [results.attacks[0].attack]


def test_settings_are_written_as_they_are_read():
    settings = {
        "none": None, "flag": True, "text": "null", "number": "1e-5", "small": 1e-5, "empty": "",
        "words": ["calm", "yes", "a, b"], "prompt": "{words} Style: 'x'", "nested": {"a": [None]},
    }  # fmt: skip
    words = shlex.split(shlex.join(set_options(settings)))
    assert words[::2] == ["--set"] * len(settings)
    assert parse_overrides(words[1::2]) == settings


def test_erasers_of_different_settings_have_commands_of_their_own():
    results = read_backdoor_results(DOCS / "backdoor-evil-edit.json")
    (attack,) = results.attacks
    rows = [
        row.model_copy(update={"settings": {**row.settings, "steps": 7}})
        if row.label == "skd"
        else row
        for row in attack.rows
    ]
    commands = commands_of(results, attack.model_copy(update={"rows": tuple(rows)}))
    (own,) = [command for command in commands if "--set steps=7" in command]
    assert own.count("--eraser") == 1
    assert "--eraser skd --set steps=7" in own


@pytest.mark.parametrize(
    "path",
    sorted([*DOCS.glob("mini-*.json"), *DOCS.glob("backdoor-*.json")]),
    ids=lambda path: path.stem,
)
def test_commands_for_the_results_in_the_docs_parse(path):
    found = collect([path])
    for board in found.boards:
        for entry in board.entries.values():
            assert options_of(entry.command)["eraser"]
            if board.run.protocol == "mini-f32":  # a file that is not shipped
                continue
            plan = plan_of(entry.command)
            assert plan.seeds == board.run.seeds
            assert {str(target) for target in plan.targets} == {
                target for names in board.targets.values() for target in names
            }
    for item in found.backdoors:
        for attack in item.results.attacks:
            for command in commands_of(item.results, attack):
                assert options_of(command)["eraser"]
