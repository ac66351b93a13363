"""YAML and class names to objects, with errors that name the fix."""

from dataclasses import dataclass
from typing import final

import pytest

from erasers.base import Eraser
from erasers.esd import ESD
from unlearncanvas.config import (
    choose,
    find_config,
    import_class,
    load_eraser,
    load_metric,
    names,
    parse_overrides,
    read_yaml,
    source_digest,
)


@final
@dataclass(frozen=True, kw_only=True)
class ThirdParty(Eraser):
    """Somebody else's eraser."""

    strength: float = 1.0

    def erase(self, pipe, task):
        pipe.unet.conv_out.bias.data.add_(self.strength)


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
        ("esd", {"eta": -1}, "eraser esd: eta must be > 0, got -1"),
        ("esd", {"parameters": "y"}, "eraser esd: parameters: .* got 'y'"),
        ("nowhere.at_all:Thing", {}, "cannot import 'nowhere.at_all:Thing'"),
        ("erasers.esd:negative_guidance", {}, "is not a class"),
        ("erasers.base:Eraser", {}, "is not an erasers.base.Eraser"),
        ("pathlib:Path", {}, "is not an erasers.base.Eraser"),
        ("missing.yaml", {}, "no such config file: missing.yaml"),
    ],
)
def test_mistakes_are_one_line_that_says_what_to_do(name, overrides, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_eraser(name, preset="mini", overrides=overrides)
    assert "\n" not in str(caught.value)


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


def test_source_digest_follows_the_erasers_own_helpers():
    from pathlib import Path
    from unittest.mock import patch

    real, seen = Path.read_bytes, []

    def note(self):
        seen.append(self.name)
        return real(self)

    with patch.object(Path, "read_bytes", note):
        source_digest(ESD)
    assert {"esd.py", "base.py", "partial_sampling.py", "embeddings.py", "prompts.py"} <= set(seen)
