"""Bad input of every kind: one line that says what was expected, exit code 2, nothing written."""

import pytest
import yaml
from pydantic import TypeAdapter

from erasers.esd import ESD
from tests.fixtures.in_process import run
from tests.fixtures.small_grid import write_protocol
from unlearncanvas.core.building import build, import_class
from unlearncanvas.core.method_config import MetricConfig, read_config
from unlearncanvas.core.registry import find_config, names, read_yaml
from unlearncanvas.core.yaml_text import parse_yaml
from unlearncanvas.pipelines.methods import load_eraser

DRY = ("--eraser", "uce", "--dry-run")
"""With --dry-run, so that what is accepted in silence ends soon."""


def refused(module, *arguments):
    """Return the line that a command refuses its arguments with."""
    done = run(module, *map(str, arguments))
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--eraser", "..x:Y"], "a class is written package.module:Class, got '..x:Y'"),
        (["--eraser", "a b:C"], "a class is written package.module:Class"),
        (["--eraser", "erasers.esd:"], "a class is written package.module:Class"),
        (["--set", "lam=.nan"], "lam: Input should be a finite number, got nan"),
        (["--set", "lam=1e999"], "lam: Input should be a finite number, got '1e999'"),
        (["--set", "lam=true"], "lam must be a number, got True"),
        (["--set", "lam=1", "--set", "lam=2"], "--set lam is given twice"),
        (["--set", "lam=" + "[" * 3000], "--set lam: not a YAML value: '[[["),
        (["--set", "lam=2001-99-99"], "--set lam: not a YAML value: '2001-99-99': month must be"),
        (["--device", "mps"], "--device mps: this machine has no usable MPS device; use cpu"),
        (["--device", "auto:1"], "--device takes auto, cpu, mps, cuda or cuda:1, got 'auto:1'"),
        (["--device", "cpu:x"], "--device takes auto, cpu, mps, cuda or cuda:1, got 'cpu:x'"),
        (["--device", "cpu:7"], "--device takes auto, cpu, mps, cuda or cuda:1, got 'cpu:7'"),
        (["--device", "cuda:x"], "--device takes auto, cpu, mps, cuda or cuda:1, got 'cuda:x'"),
        (["--device", "cuda:999"], "--device cuda:999: this machine has"),
        (["--targets", ","], "by commas, none of them empty, got ','"),
        (["--targets", ""], "--targets takes names separated by commas"),
        (["--targets", "Cat,,Sun"], "--targets takes names separated by commas"),
        (["--targets", "style:Cat"], "unknown target 'Cat'; choose from Watercolor,"),
        (["--targets", "object:Pop Art"], "unknown target 'Pop Art'; choose from Sun"),
        (["--targets", "x:Cat"], "unknown kind of target 'x'; choose from style, object"),
        (["--seeds", ""], "--seeds takes different integers from 0 to 9223372036854775807 (2^63"),
        (["--seeds", "1_0"], "(2^63 - 1), separated by commas, got '1_0'"),
        (["--seeds", "-1"], "--seeds takes different integers from 0 to"),
        (["--erase-seeds", "9223372036854775808"], "--erase-seeds takes different integers"),
        (["--erase-seeds", "1" * 5000], "--erase-seeds takes different integers from 0 to"),
        (["--known-fraction", "0.5"], "--known-fraction goes with a backdoor protocol only"),
        (["--trigger-knowledge", "neighbour"], "--trigger-knowledge goes with a backdoor"),
        (["--known-fraction", "nan"], "--known-fraction takes a number in (0, 1], got 'nan'"),
        (["--protocol", "backdoor", "--targets", ","], "--targets takes names separated by"),
        (["--tier", ""], "--tier takes a tier of the protocol, got ''"),
        (["--model", ""], "--model takes minicanvas, a diffusers folder"),
        (["--dtype", "int8"], "--dtype takes float32, bfloat16 or float16, got 'int8'"),
        (["--batch-size", "1" * 5000], "--batch-size takes an integer >= 1 or auto, up to 999999"),
        (["--optimize", ""], "--optimize takes compile, channels-last or both, separated by"),
        (["--optimize", "compile,compile"], "--optimize takes compile, channels-last or both"),
        (["--shard", "x"], "--shard takes index/count, as in 0/8, got 'x'"),
        (["--shard", "0/2", "--ray", "local"], "--shard and --ray exclude each other"),
        (["--detectors", "no/such"], "--detectors no/such: no such folder"),
        (["--detectors", ""], "--detectors takes a folder of weights, got ''"),
        (["--inception", "no/such/place"], "--inception no/such/place: no such folder"),
        (["--dataset", "no/such/place"], "--dataset no/such/place: no such folder, nor a dataset"),
    ],
)  # fmt: skip
def test_options_that_cannot_be(options, message, tmp_path):
    line = refused("unlearncanvas.bench", *DRY, "--out", tmp_path / "runs", *options)
    assert message in line
    assert len(line) < 600
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class:", "needs a line 'class: package.module.Class', got None"),
        ("class: {a: 1}", "needs a line 'class: package.module.Class', got {'a': 1}"),
        ("class: ESD", "a class is written package.module:Class, got 'ESD'"),
        ("class: erasers.esd.ESD\npresets: [1]", "presets: must hold keys and values, got [1]"),
        ("class: erasers.esd.ESD\npresets: {mini: 3}", "mini: must hold keys and values, got 3"),
        ("class: erasers.esd.ESD\n1: 2", "keys must be text, got '1' in line 2; put it in quotes"),
        ("class: erasers.esd.ESD\nlr: 1\nlr: 2", "duplicate key 'lr', again in line 3"),
        ("class: erasers.esd.ESD\nlr: 2001-99-99", "month must be in 1..12"),
        ("class: erasers.esd.ESD\nstyle_prompt: '{words} {color}'", "no field but {words}, got"),
        ("class: erasers.esd.ESD\nobject_prompt: '{words} {'", "no field but {words}, got"),
        ("class: erasers.ca.CA\nstyle_context: '{words} {other} {x}'", "{words} and {other}, got"),
        ("class: &a [*a]", "its aliases expand to more than 100,000 values"),
        ("[" * 3000, "it is nested too deeply"),
        ("", "must hold keys and values, got NoneType"),
    ],
)
def test_eraser_files_that_cannot_be(text, message, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    line = refused("unlearncanvas.bench", "--eraser", path, "--dry-run")
    assert any(place in line for place in ("wrong.yaml", "eraser wrong", "a class is written"))
    assert message in line


def test_aliases_that_explode_are_not_expanded():
    floors = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(ValueError, match="aliases expand to more than 100,000 values"):
        parse_yaml("\n".join(["a0: &a0 [x, x]", *floors]))
    assert parse_yaml("a: &a {b: 1}\nc: {<<: *a, d: 2}") == {"a": {"b": 1}, "c": {"b": 1, "d": 2}}


def test_a_class_whose_module_does_not_import_says_where(tmp_path, monkeypatch):
    (tmp_path / "broken_eraser.py").write_text("\nraise KeyError('no')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    line = refused("unlearncanvas.bench", "--eraser", "broken_eraser:Mine", "--dry-run")
    assert "cannot import 'broken_eraser:Mine': KeyError in " in line
    assert "broken_eraser.py, line 2: 'no'" in line


def numeric_settings():
    for kind in ("erasers", "attacks", "metrics"):
        for name in names(kind):
            cls = import_class(read_yaml(find_config(kind, name))["class"])
            for key, schema in TypeAdapter(cls).json_schema()["properties"].items():
                kinds = {part.get("type") for part in schema.get("anyOf", [schema])}
                if kinds & {"integer", "number"}:
                    yield kind, name, cls, key


def load_with(kind, name, cls, settings):
    if kind == "metrics":
        usual = read_config(MetricConfig, find_config(kind, name)).settings
        return build(cls, {**usual, **settings}, where=name)
    return load_eraser(name, preset="mini", overrides=settings, kind=kind)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_every_number_of_every_eraser_attack_and_metric_is_finite(value):
    found = list(numeric_settings())
    assert len(found) > 60
    for kind, name, cls, key in found:
        with pytest.raises(ValueError, match=f"{key}: Input should be a finite number"):
            load_with(kind, name, cls, {key: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_so_it_is_without_a_config(value):
    for settings in ({"lr": value}, {"eta": value}, {"guidance_scale": value}):
        with pytest.raises(ValueError, match="Input should be a finite number"):
            ESD(**settings)


RULES = read_yaml(find_config("protocols", "mini"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../../x"}, "name: a name holds letters, digits"),
        ({"name": ""}, "name: a name holds letters, digits"),
        ({"tiers": {"../x": {}}, "default_tier": "../x"}, "a name holds letters, digits"),
        ({"styles": ["Photo", "Mosaic", "../x"]}, "styles.2: a name holds letters"),
        ({"styles": [*RULES["styles"], "Mosaic"]}, "styles: duplicate 'Mosaic'"),
        ({"objects": [*RULES["objects"], "Cat"]}, "objects: duplicate 'Cat'"),
        ({"objects": [*RULES["objects"], "Mosaic"]}, "a style or an object, 'Mosaic' is both"),
        ({"targets": {"style": ["Mosaic", "Mosaic"]}}, "targets.style: duplicate 'Mosaic'"),
        ({"seeds": [1, 1]}, "seeds: duplicate 1"),
        ({"seeds": [-1]}, "seeds.0: Input should be greater than or equal to 0"),
        ({"erase_seed": 2**63}, "erase_seed: Input should be less than or equal to 9223372036"),
        ({"metrics": ["fid"]}, "unknown metric 'fid'"),
        ({"prompt": "A {colour} {object}"}, "prompt may hold {style}, {object}"),
        ({"prompt": "A {object"}, "prompt may hold {style}, {object}"),
        ({"prompt": "{object.x}"}, "prompt may hold {style}, {object}"),
        ({"sampler": RULES["sampler"] | {"guidance_scale": float("nan")}}, "guidance_scale"),
        ({"sampler": 3}, "sampler"),
        ({"templates": {"style": "{words} by {name}"}}, "style: may have no field but {words}"),
        ({"base": "itself"}, "is its own base"),
        ({"base": 3}, "unknown protocol '3'"),
    ],
)
def test_protocols_that_cannot_be(changes, message, tmp_path):
    path = tmp_path / "wrong.yaml"
    changes = {key: value if value != "itself" else str(path) for key, value in changes.items()}
    path.write_text(yaml.safe_dump(RULES | changes))
    assert message in refused("unlearncanvas.bench", *DRY, "--protocol", path)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ([1], "tune: must hold keys and values, got [1]"),
        ({"lr": 3}, "tune.lr: takes choices: [..], or low < high"),
        ({"lr": {"low": 1}}, "tune.lr: takes"),
        ({"lr": {"low": 2, "high": 1}}, "tune.lr: takes"),
        ({"lr": {"low": 0, "high": 1, "log": True}}, "tune.lr: takes"),
        ({"lr": {"low": float("nan"), "high": 1}}, "tune.lr: takes"),
        ({"lr": {"low": "a", "high": "b"}}, "tune.lr: takes"),
        ({"parameters": {"choices": []}}, "tune.parameters: takes"),
        ({"rate": {"low": 0, "high": 1}}, "unknown setting of wrong 'rate'"),
    ],
)
def test_searches_that_cannot_be(space, message, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({"class": "erasers.esd.ESD", "tune": space}))
    assert message in refused("unlearncanvas.cli.main", "tune", path, "--out", tmp_path / "runs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tune", "pkg.module:Class"], "tune takes a registered name or a YAML file"),
        (["score", "--images", ".", "--name", "../../x"], "a name holds letters, digits"),
        (["score", "--images", ".", "--name", ""], "a name holds letters, digits"),
        (["merge", "tests", "--out", "pyproject.toml"], "--out pyproject.toml is a file"),
        (
            [
                "backdoor",
                "inject",
                "--attack",
                "evil-edit",
                "--set",
                "backdoors=[{trigger: x, effect: Cat, source: Dog}]",
            ],
            "mini draws no 'Dog'",
        ),
    ],
)
def test_other_commands(arguments, message):
    assert message in refused("unlearncanvas.cli.main", *arguments)


def test_skip_base_check_scores_a_model_that_the_detectors_do_not_know(tmp_path, tiny_base):
    """The mini protocol's detectors have a list of base models; the option lifts it."""
    tiny_base.save_pretrained(tmp_path / "other")
    options = (
        "unlearncanvas.bench", "--eraser", "uce", "--protocol", str(write_protocol(tmp_path)),
        "--tier", "smoke", "--model", str(tmp_path / "other"), "--out", str(tmp_path / "runs"),
        "--device", "cpu",
    )  # fmt: skip
    assert "detectors of this protocol were not made for" in refused(*options)
    done = run(*options, "--skip-base-check")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "runs").rglob("results.json"))
