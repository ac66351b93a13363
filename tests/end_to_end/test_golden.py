"""The numbers of every method and of both evaluations are those that are stored.

One that had to change: ``python -m tests.golden update NAME`` (its ``--help`` says more).
"""

import json
from typing import get_args

import pytest

from erasers.uce import TokenPolicy
from tests.fixtures.in_process import run
from tests.golden.evaluations import backdoor, grid
from tests.golden.steps import STEPS, first_steps
from tests.golden.store import ENTRIES, VALUES, differences, same_key, stored
from unlearncanvas.core.registry import names
from unlearncanvas.pipelines.methods import load_eraser


def assert_golden(name, found):
    held = stored(name)
    keys = differences(name, held, found)
    lines = [f"{key}: {held.get(key)} -> {found.get(key)}" for key in keys]
    first = "raise version of its class, then " if same_key(held, found, keys) else ""
    assert not lines, "\n".join(
        [f"\n{len(lines)} changed; {first}python -m tests.golden update {name}", *lines[:20]]
    )


@pytest.mark.parametrize("name", STEPS)
def test_first_steps_are_golden(tiny_base, name):
    assert_golden(name, first_steps(name, tiny_base))


@pytest.mark.slow
@pytest.mark.parametrize("evaluation", [grid, backdoor], ids=["grid", "backdoor"])
def test_a_small_run_is_golden(evaluation):
    assert_golden(evaluation.__name__, evaluation())


def test_every_config_and_every_variant_as_released_has_an_entry():
    for kind in ("erasers", "attacks"):
        entries = [step for step in STEPS.values() if step.kind == kind]
        assert {step.config for step in entries} == set(names(kind))
    released = {step.config for step in STEPS.values() if step.settings.get("as_released")}
    assert released == {
        name
        for name in names("erasers")
        if "as_released" in load_eraser(name, preset="mini").settings
    }
    policies = {step.settings.get("tokens", "subject_to_end") for step in STEPS.values()}
    assert policies == set(get_args(TokenPolicy))


def test_what_is_stored_are_the_entries():
    assert {path.stem for path in VALUES.glob("*.json")} == {
        name for name in ENTRIES if not name.startswith("historic-")
    }


@pytest.mark.parametrize(
    ("found", "same"),
    [
        ([3, 1.004, 0.54], True),
        ([3, 1.006, 0.5], False),  # a scale
        ([3, 1.0, -0.5], False),  # a sign
        ([2, 1.0, 0.5], False),  # a tensor that stays as it was
    ],
)
def test_a_sketch_moves_with_scale_sign_and_tensors(found, same):
    held = {"weights/unet": [3, 1.0, 0.5], "ufe": 12.0}
    changed = differences(
        "esd", held, {"weights/unet": found, "weights/unet.a/sha256": "x", "ufe": 12.0}
    )
    assert changed == ([] if same else ["weights/unet"])


def test_a_score_of_a_run_is_compared_to_its_rounding():
    held = {"target/esd/fid": [4.0, 6, 3.0, None], "image/a": ["Cat", "Sun", 0.5, 0.9]}
    near = {"target/esd/fid": [4.001, 6, 3.0, None], "image/a": ["Cat", "Sun", 0.5001, 0.9]}
    assert differences("grid", held, near) == []
    far = {"target/esd/fid": [4.1, 6, 3.0, 5.0], "image/a": ["Cat", "Cat", 0.5, 0.9], "new": 1}
    assert differences("grid", held, far) == ["target/esd/fid", "image/a", "new"]


def checkout(folder, values):
    """A checkout whose own code computes these values."""
    code = folder / "tests" / "golden"
    code.mkdir(parents=True)
    (code.parent / "__init__.py").touch()
    (code / "__main__.py").write_text(
        f"import pathlib, sys\npathlib.Path(sys.argv[-1]).write_text({json.dumps(values)!r})\n"
    )


def test_two_checkouts_are_compared_bit_for_bit_each_by_its_own_code(tmp_path, monkeypatch):
    one = {"esd": {"ufe": 8.0, "latents": [1, 0.1]}, "uce": {"ufe": 0.0}}
    checkout(tmp_path / "one", one)
    checkout(tmp_path / "same", one)
    checkout(tmp_path / "other", {"esd": {"ufe": 8.0, "latents": [1, 0.1 + 2e-17]}, "ca": {"a": 1}})
    monkeypatch.chdir(tmp_path / "one")
    done = run("tests.golden.__main__", "compare", "../same")
    assert (done.returncode, "0 differ" in done.stdout) == (0, True)
    done = run("tests.golden.__main__", "compare", "../other")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "esd  latents  [1, 0.1] -> [1, 0.10000000000000002]",
        "uce  ufe  0.0 -> -",
        "ca  a  - -> 1",
        "2 entries, 3 values here; 3 differ (here -> ../other)",
    ]


def test_an_entry_that_is_updated_says_old_and_new(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.golden.store.VALUES", tmp_path)
    assert run("tests.golden.__main__", "update", "none").returncode == 0
    path = tmp_path / "none.json"
    path.write_text(path.read_text().replace('"ufe": 0.0', '"ufe": 7.0'))
    done = run("tests.golden.__main__", "update", "none")
    said = "none: numbers changed and version 1 did not; raise version in the class"
    assert (done.returncode, said in done.stderr) == (2, True)
    assert '"ufe": 7.0' in path.read_text()
    with pytest.raises(AssertionError, match="1 changed; raise version of its class, then python"):
        assert_golden("none", first_steps("none"))
    done = run("tests.golden.__main__", "update", "none", "--same-version")
    assert done.stdout.splitlines() == [
        "none  ufe  7.0 -> 0.0", "1 values updated (old -> new)"
    ]  # fmt: skip
    assert run("tests.golden.__main__", "update", "none").stdout.startswith("0 values updated")
    done = run("tests.golden.__main__", "update", "nothing*")
    assert (done.returncode, "no golden entry is named 'nothing*'" in done.stderr) == (2, True)
