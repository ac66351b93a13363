"""YAML and class names to objects, with errors that name the fix."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import pytest

from erasers.base import Eraser
from erasers.esd import ESD
from unlearncanvas.core.building import import_class, parse_overrides
from unlearncanvas.core.method_config import load_metric
from unlearncanvas.core.method_identity import source_digest
from unlearncanvas.core.registry import choose, find_config, names, read_yaml
from unlearncanvas.pipelines.methods import load_eraser

EVIL_EDIT = "unlearncanvas.evaluations.backdoor.attacks.evil_edit:EvilEdit"


@final
@dataclass(frozen=True, kw_only=True)
class ThirdParty(Eraser):
    """An eraser from outside the package."""

    strength: float = 1.0

    def erase(self, pipe, task):
        pipe.unet.conv_out.bias.data.add_(self.strength)


@final
@dataclass(frozen=True, kw_only=True)
class Restoring(Eraser):
    """Says that it leaves weights, and restores something else."""

    def erase(self, pipe, task):
        pass

    def restore(self, pipe, task, tensors):
        pass


def test_presets_win_over_defaults_and_overrides_over_presets():
    assert load_eraser("esd", preset=None).eraser.steps == 1000
    mini = load_eraser("esd", preset="mini")
    assert mini.eraser.style_prompt is None  # the protocol brings it
    assert load_eraser("esd", preset="mini", overrides={"steps": 7}).settings["steps"] == 7


def test_numbers_that_yaml_reads_as_text_are_numbers():
    assert load_eraser("esd", preset=None, overrides=parse_overrides(["lr=1e-4"])).eraser.lr == 1e-4


def test_third_party_erasers_load_by_class_and_by_file(tmp_path):
    found = load_eraser(f"{__name__}:ThirdParty", preset="mini")
    assert (found.name, found.eraser) == ("thirdparty", ThirdParty())
    path = tmp_path / "stronger.yaml"
    path.write_text(f"class: {__name__}.ThirdParty\nstrength: 3\n")
    found = load_eraser(str(path), preset="mini")
    assert (found.name, found.eraser) == ("stronger", ThirdParty(strength=3.0))


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("esdd", {}, "unknown eraser 'esdd'; did you mean esd"),
        ("esd", {"stepz": 1}, "unknown setting of eraser esd 'stepz'; did you mean steps"),
        ("esd", {"steps": "many"}, "eraser esd: steps: .* got 'many'"),
        ("esd", {"eta": -1}, "eraser esd: eta: Input should be greater than 0, got -1"),
        ("esd", {"parameters": "y"}, "eraser esd: parameters: .* got 'y'"),
        ("nowhere.at_all:Thing", {}, "cannot import 'nowhere.at_all:Thing'"),
        ("erasers.esd:negative_guidance", {}, "is not a class"),
        ("erasers.base:Eraser", {}, "got erasers.base.Eraser, which is abstract: it lacks erase"),
        ("pathlib:Path", {}, "expected an eraser, got pathlib.Path, which is not an erasers.base"),
        (EVIL_EDIT, {}, "expected an eraser, got .*EvilEdit, which is an attack; choose from ca, "),
        ("missing.yaml", {}, "no such config file: missing.yaml"),
    ],
)
def test_mistakes_are_one_line_that_says_what_to_do(name, overrides, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_eraser(name, preset="mini", overrides=overrides)
    assert "\n" not in str(caught.value)


def test_an_eraser_is_no_attack():
    message = r"expected an attack, got erasers\.esd\.ESD, which is an eraser; choose from badt2i"
    with pytest.raises(ValueError, match=message):
        load_eraser("erasers.esd:ESD", preset=None, kind="attacks")


def test_a_config_needs_a_class_and_must_be_a_mapping(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("steps: 1\n")
    with pytest.raises(ValueError, match="needs a line 'class:"):
        load_eraser(str(path), preset=None)
    path.write_text("- 1\n")
    with pytest.raises(ValueError, match="must hold keys and values, got list"):
        read_yaml(path)
    path.write_text("a: [\n")
    with pytest.raises(ValueError, match="cannot read") as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


def test_choose_ignores_case_and_underscores_in_its_hints():
    with pytest.raises(ValueError, match="did you mean Pop Art"):
        choose("style", "pop_art", ["Pop Art", "Mosaic"])


def test_overrides_need_an_equals_sign():
    assert parse_overrides(["a=1", "b=null", "c=x"]) == {"a": 1, "b": None, "c": "x"}
    with pytest.raises(ValueError, match="--set takes key=value, got 'lr'"):
        parse_overrides(["lr"])
    with pytest.raises(ValueError, match="--set lr: not a YAML value"):
        parse_overrides(["lr=["])


def test_every_registered_config_loads():
    for name in names("erasers"):
        for preset in (None, "sd15", "mini"):
            load_eraser(name, preset=preset)
    for name in names("metrics"):
        load_metric(name)
    assert find_config("protocols", "mini").is_file()


def test_an_edited_eraser_or_helper_has_another_source_digest(tmp_path, monkeypatch):
    package = tmp_path / "edited_eraser"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("def add():\n    return 1\n")
    (package / "method.py").write_text(
        "from edited_eraser.helper import add\nclass Method:\n    value = add()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    cls = import_class("edited_eraser.method.Method")
    first = source_digest(cls)
    assert source_digest(cls) == first
    (package / "helper.py").write_text("def add():\n    return 2\n")
    second = source_digest(cls)
    (package / "method.py").write_text("class Method:\n    pass\n")
    assert len({first, second, source_digest(cls)}) == 3


def test_a_registered_method_is_its_name_its_settings_and_its_version():
    esd = load_eraser("esd", preset="mini")
    assert esd.identity == {"method": "esd", "settings": esd.settings, "version": 1}
    assert replace(esd, version=2).identity != esd.identity
    assert replace(esd, source_digest="0" * 64).identity == esd.identity
    for kind in ("erasers", "attacks"):
        for name in names(kind):
            assert load_eraser(name, preset=None, kind=kind).identity["method"] == name


def test_what_the_registry_does_not_have_is_keyed_by_its_class(tmp_path):
    """A file from outside is keyed by its bytes: its name may hold another class tomorrow."""
    (tmp_path / "esd.yaml").write_text("class: erasers.none.NoErasure\n")
    other = load_eraser(str(tmp_path / "esd.yaml"), preset=None)
    assert other.identity == {"method": "erasers.none.NoErasure", "settings": {}, "version": 1}
    assert other.identity == load_eraser("erasers.none:NoErasure", preset=None).identity
    copied = load_eraser(str(find_config("erasers", "esd")), preset="mini")
    assert copied.identity == load_eraser("esd", preset="mini").identity


def test_a_class_from_outside_is_keyed_by_its_bytes():
    theirs = load_eraser("tests.core.test_config:ThirdParty", preset=None)
    assert theirs.identity["method"] == "tests.core.test_config.ThirdParty"
    assert replace(theirs, source_digest="0" * 64).identity != theirs.identity


def test_a_comment_in_the_base_class_is_recorded_and_voids_nothing(tmp_path):
    """A checkout with one comment more."""
    for name in ("configs", "erasers", "metrics", "unlearncanvas"):
        shutil.copytree(
            Path(__file__).parents[2] / name, tmp_path / name,
            ignore=shutil.ignore_patterns("weights", "__pycache__"),
        )  # fmt: skip
    with (tmp_path / "erasers" / "base.py").open("a") as file:
        file.write("# a comment\n")
    code = (
        "import json; from unlearncanvas.pipelines.methods import load_eraser\n"
        "esd = load_eraser('esd', preset='mini')\n"
        "print(json.dumps([esd.source_digest, esd.identity]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    digest, identity = json.loads(done.stdout)
    esd = load_eraser("esd", preset="mini")
    assert digest != esd.source_digest
    assert identity == esd.identity


def test_weights_have_no_restore_of_their_own():
    with pytest.raises(ValueError, match="has a restore of its own, which weights do not take"):
        load_eraser("tests.core.test_config:Restoring", preset=None)


def test_source_digest_follows_the_erasers_own_helpers():
    from unittest.mock import patch

    real, seen = Path.read_bytes, []

    def note(self):
        seen.append(self.name)
        return real(self)

    with patch.object(Path, "read_bytes", note):
        source_digest(ESD)
    assert {"esd.py", "base.py", "latents.py", "embeddings.py", "prompts.py"} <= set(seen)
