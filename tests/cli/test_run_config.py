"""One model of every option: on the command line, in a file, in results."""

import json
from dataclasses import dataclass

import pytest
import yaml

import unlearncanvas
from erasers.base import Eraser
from tests.fixtures.arguments import from_arguments
from tests.fixtures.in_process import run
from tests.fixtures.small_grid import ESD_SETTINGS, numbers, write_protocol
from unlearncanvas.engine.options import load_erasers
from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.engine.run_flags import flag_of, to_flags
from unlearncanvas.results.reading import read_results
from unlearncanvas.results.run_config import OPTIONS, SECTIONS, OptionError, RunConfig, read_options

DRY = ("unlearncanvas.bench", "--dry-run", "--device", "cpu")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--eraser", "uce", "--protocol", "backdoor", "--targets", "evil-edit,badt2i-pixel"],
        ["--set", "lr=0.0002", "--set", "esd.words=[a, 'b, c']", "--set", "prompt='null'"],
        ["--seeds", "1,2", "--erase-seeds", "0", "--tier", "full", "--model", "a/b"],
        ["--dtype", "bfloat16", "--batch-size", "auto", "--optimize", "compile,channels-last"],
        ["--artifacts", "half", "--skip-base-check", "--keep-images", "--dry-run"],
        ["--known-fraction", "0.5", "--trigger-knowledge", "neighbour"],
        ["--ray", "local", "--wandb_args", "project=mine", "--wandb", "--out", "elsewhere"],
        ["--shard", "0/8", "--device", "cuda:1", "--detectors", "d", "--inception", "i"],
    ],
)
def test_arguments_become_options_and_arguments_again(arguments):
    config = read_options(from_arguments(["--eraser", "esd", *arguments]))
    again = to_flags(config)
    assert sorted(again) == sorted(["--eraser", "esd", *arguments])
    assert read_options(from_arguments(again)) == config


def test_every_option_survives_yaml_and_json():
    config = read_options(
        {
            "erasers": ["esd", "uce"], "protocol": "p", "model": "m", "tier": "t",
            "targets": ["Cat"], "seeds": [1], "erase_seeds": [2], "settings": {"a": [None, 1.5]},
            "dtype": "float16", "batch_size": 3, "optimize": ["compile"], "artifacts": "half",
            "skip_base_check": True, "known_fraction": 0.5, "trigger_knowledge": "neighbour",
            "device": "cpu", "shard": "0/2", "track": ["mlflow"], "wandb": True,
            "wandb_args": ["a=b"], "dry_run": True, "out": "o", "keep_images": True,
            "detectors": "d", "dataset": "s", "inception": "i",
        }
    )  # fmt: skip
    assert set(OPTIONS) - config.model_fields_set == {"ray"}
    text = config.model_dump_json()
    assert RunConfig.model_validate_json(text) == config
    assert read_options(yaml.safe_load(yaml.safe_dump(json.loads(text)))) == config


def test_every_option_has_a_flag_a_section_and_a_help_text():
    done = run("unlearncanvas.bench", "--help")
    for name, option in OPTIONS.items():
        assert flag_of(name) in done.stdout
        assert option.section in SECTIONS
        assert RunConfig.model_fields[name].description
    assert "[default: mini]" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.partition("Examples:")[0].splitlines())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": [1, True]}, "seeds takes different integers from 0 to 9223372036854775807"),
        ({"seeds": []}, "seeds takes different integers"),
        ({"batch_size": 1.0}, "batch_size takes an integer >= 1 or auto, up to 999999, got 1.0"),
        ({"erasers": []}, "erasers takes registered names, package.module:Class or YAML files"),
        ({"device": "cpu\n"}, "device takes auto, cpu, mps, cuda or cuda:1"),
        ({"settings": ["lr=1"]}, "settings takes settings by name, got ['lr=1']"),
        ({"keep_images": "perhaps"}, "keep_images takes true or false, got 'perhaps'"),
        ({"shard": "0/2", "ray": "local"}, "shard and ray exclude each other"),
    ],
)
def test_values_that_cannot_be_name_the_key(options, message):
    with pytest.raises(OptionError) as caught:
        read_options({"erasers": ["esd"], **options})
    assert message in str(caught.value)


def test_a_wrong_value_names_the_flag_or_the_file_and_its_key(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("erasers: [esd]\nseeds: [1, x]\n")
    done = run(*DRY, "--config", str(path))
    assert done.returncode == 2
    assert f"error: {path}: seeds takes different integers from 0 to" in done.stderr
    done = run(*DRY, "--config", str(path), "--seeds", "x")
    assert "error: --seeds takes different integers from 0 to" in done.stderr
    path.write_text("protocol: mini\ntires: smoke\n")
    assert "unknown option 'tires'; did you mean tier" in run(*DRY, "--config", str(path)).stderr
    path.write_text("protocol: mini\n")
    assert f"{path}: erasers is missing; it takes" in run(*DRY, "--config", str(path)).stderr
    path.write_text("erasers: [esd]\nknown_fraction: 0.5\n")
    stderr = run(*DRY, "--config", str(path)).stderr
    assert f"{path}: known_fraction goes with a backdoor protocol only; leave it out" in stderr
    old = tmp_path / "results.json"
    old.write_text('{"schema_version": 1, "asked": null}')
    assert f"{old} holds no 'config'" in run(*DRY, "--config", str(old)).stderr
    assert "cannot read nowhere.json" in run(*DRY, "--config", "nowhere.json").stderr
    done = run("unlearncanvas.bench", "--dry-run")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--eraser is missing" in done.stderr


def test_options_at_their_defaults_are_as_if_they_were_not_given():
    same = {"known_fraction": 1, "trigger_knowledge": "exact", "shard": None, "model": None}
    plain = {"erasers": ["esd"], "device": "cpu"}
    assert evaluation_of(read_options(plain | same)) == evaluation_of(read_options(plain))
    removal = {"erasers": ["skd"], "protocol": "backdoor", "device": "cpu", "keep_images": False}
    assert evaluation_of(read_options(removal)).config["erasers"] == ["skd"]


def test_flags_win_over_a_file():
    file = {"erasers": ["ca"], "tier": "full", "settings": {"esd.lr": 1, "steps": 2}}
    found = from_arguments(["--tier", "smoke", "--set", "lr=3", "--set", "esd.eta=4"], file)
    assert found == {
        "erasers": ["ca"], "tier": "smoke", "settings": {"steps": 2, "lr": 3, "esd.eta": 4},
    }  # fmt: skip


def test_a_setting_reaches_one_eraser_or_all_that_have_it():
    settings = {"lr": 3e-5, "esd.lr": 2e-4, "ca.steps": 7}
    esd, ca, uce = load_erasers(["esd", "ca", "uce"], settings, "mini")
    assert (esd.settings["lr"], ca.settings["lr"]) == (2e-4, 3e-5)
    assert ca.settings["steps"] == 7 != esd.settings["steps"]
    assert "lr" not in uce.settings
    for wrong, message in (
        ({"stepz": 1}, "unknown setting of erasers esd, uce 'stepz'; did you mean steps"),
        ({"ca.lr": 1}, "unknown eraser of this run 'ca'; .*choose from esd, uce"),
        ({"uce.lr": 1}, "unknown setting of eraser uce 'lr'"),
    ):
        with pytest.raises(ValueError, match=message):
            load_erasers(["esd", "uce"], wrong, "mini")


@dataclass(frozen=True, kw_only=True)
class Strong(Eraser):
    """An eraser whose setting has no default."""

    strength: float

    def erase(self, pipe, task):
        """Do nothing."""


def test_a_setting_may_be_one_without_a_default():
    (found,) = load_erasers(["tests.cli.test_run_config:Strong"], {"strength": 2}, None)
    assert found.settings == {"strength": 2.0}
    (found,) = load_erasers(["tests.cli.test_run_config:Strong"], {"strong.strength": 3}, None)
    assert found.settings == {"strength": 3.0}


def test_results_hold_what_decides_the_numbers_and_nothing_else(tmp_path):
    config = read_options(
        {"erasers": ["esd"], "device": "cpu", "out": tmp_path, "keep_images": True, "seeds": [1]}
    )
    evaluation = evaluation_of(config)
    dtype = evaluation.grid.sampler.dtype
    assert evaluation.config == {"erasers": ["esd"], "tier": "quick", "seeds": [1], "dtype": dtype}
    assert evaluation_of(read_options(evaluation.config)).config == evaluation.config
    removal = evaluation_of(
        read_options({"erasers": ["skd"], "protocol": "backdoor", "known_fraction": 0.5})
    )
    assert removal.config["known_fraction"] == removal.known_fraction == 0.5


def test_older_results_stay_readable(tmp_path):
    old = {
        "schema_version": 1, "protocol": "mini", "protocol_digest": "d", "tier": "quick",
        "limited": True, "seeds": [1],
        "model": "minicanvas", "base_digest": "b", "rows": [], "floors": {}, "results": [],
        "environment": {"device": "cpu"},
        "asked": {"tier": "quick", "dtype": "float32", "batch_size": 8},
    }  # fmt: skip
    (tmp_path / "results.json").write_text(json.dumps(old))
    found = read_results(tmp_path / "results.json").config
    assert (found["tier"], found["batch_size"], found["device"]) == ("quick", 8, "cpu")


@pytest.mark.slow
def test_a_results_file_replays_its_run(tmp_path):
    options = ("unlearncanvas.bench", "--device", "cpu", "--out")
    protocol = str(write_protocol(tmp_path))
    first, second = tmp_path / "first", tmp_path / "second"
    done = run(
        *options, str(first), "--eraser", "esd", "--protocol", protocol, "--tier", "smoke",
        *ESD_SETTINGS, "--set", "esd.lr=2e-4", "--dtype", "float32", "--batch-size", "3",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = first.rglob("results.json")
    assert read_results(path).config["settings"]["esd.lr"] == "2e-4"
    done = run(*options, str(second), "--config", str(path))
    assert done.returncode == 0, done.stderr
    assert numbers(second) == numbers(first)
    assert len(numbers(first)) == 1
    settings = {**read_results(path).config["settings"]}
    found = unlearncanvas.evaluate(
        ["esd"], protocol=protocol, tier="smoke", settings=settings, dtype="float32",
        batch_size=3, device="cpu", out=first,
    )  # fmt: skip
    assert found == read_results(path)
    assert found.config == json.loads(path.read_text())["config"]


def test_the_package_holds_what_it_names():
    assert {"esd", "uce", "none", "noise"} < set(unlearncanvas.list_erasers())
    assert all(callable(getattr(unlearncanvas, name)) for name in unlearncanvas.__all__)
    with pytest.raises(AttributeError, match="'unlearncanvas' has no attribute 'evalute'"):
        unlearncanvas.evalute  # noqa: B018


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tier": ""}, "tier takes a tier of the protocol, got ''"),
        ({"tires": "smoke"}, "unknown option 'tires'; did you mean tier"),
        ({"shard": "0/2"}, "shard is an option of the command line; leave it out"),
        ({"track": ["wandb"]}, "track is an option of the command line; leave it out"),
    ],
)
def test_evaluate_takes_the_same_options(options, message):
    with pytest.raises(ValueError, match=message):
        unlearncanvas.evaluate("esd", **options)
