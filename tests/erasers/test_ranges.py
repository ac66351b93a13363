"""The range of every number of every eraser and attack, and that its ends are kept."""

import math

import pytest
from pydantic import TypeAdapter, ValidationError

from unlearncanvas.core.building import build, one_line
from unlearncanvas.core.registry import names
from unlearncanvas.pipelines.methods import load_eraser

METHODS = [(kind, name) for kind in ("erasers", "attacks") for name in names(kind)]
FACING = {
    "minimum": -math.inf,
    "exclusiveMinimum": math.inf,
    "maximum": math.inf,
    "exclusiveMaximum": -math.inf,
}
"""The direction, from each kind of bound, of the nearest number on its other side."""
SIGNS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
RANGES = {
    "anchor_weight": ">= 0",
    "bad_batch_size": "> 0",
    "batch_size": "> 0",
    "beta": "> 0",
    "cycles": "> 0",
    "ema_decay": ">= 0, < 1",
    "erase_scale": "> 0",
    "erase_weight": ">= 0",
    "forget_per_cell": "> 0",
    "guidance_scale": ">= 1",
    "image_guidance": ">= 1",
    "image_steps": "> 0",
    "inversion_lr": "> 0",
    "inversion_steps": ">= 0",
    "inversion_vectors": "> 0",
    "lr": "> 0",
    "map_side": "> 0",
    "mask_batches": "> 0",
    "mask_guidance": ">= 0",
    "max_norm": "> 0",
    "num_anchors": "> 0",
    "num_images": "> 0",
    "num_inference_steps": ">= 1, <= 1000",
    "optimize_lr": "> 0",
    "optimize_steps": ">= 0",
    "optimize_until": ">= 0, <= 1",
    "per_cell": "> 0",
    "prior_weight": ">= 0",
    "rank": "> 0",
    "reset_std": "> 0",
    "retain_per_cell": "> 0",
    "retain_scale": ">= 0",
    "share": "> 0, <= 1",
    "steps": "> 0",
    "trim_batches": "> 0",
    "trim_guidance": ">= 0",
    "untouched": ">= 0, < 1",
    "warmup": ">= 0",
    "weight_decay": ">= 0",
    "salun.alpha": ">= 0",
    "seot.alpha": "> 0",
    "shs.alpha": ">= 0",
    "skd-cag.alpha": ">= 0, <= 1",
    "ediff.eta": ">= 0",
    "esd.eta": "> 0",
    "spm.eta": "> 0",
    "ediff.lam": ">= 0",
    "t2ishield-edit.lam": "> 0",
    "uce.lam": "> 0",
    "badt2i-object.lam": "> 0, < 1",
    "badt2i-pixel.lam": "> 0, < 1",
    "badt2i-style.lam": "> 0, < 1",
    "badt2i-style-multi.lam": "> 0, < 1",
    "evil-edit.lam": "> 0",
}
"""Of every number: by its name alone, where all methods that have it agree."""


def numbers(cls):
    """Yield name, type and bounds of each number among the settings of a class."""
    for name, schema in TypeAdapter(cls).json_schema()["properties"].items():
        for part in schema.get("anyOf", [schema]):
            if part.get("type") in ("integer", "number"):
                yield name, part["type"], {key: part[key] for key in FACING if key in part}


def beside(bound, direction, kind):
    if kind == "integer":
        return bound + round(math.copysign(1, direction))
    return math.nextafter(bound, direction)


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_each_bound_is_kept_by_the_config_and_by_the_class(kind, name):
    configured = load_eraser(name, preset=None, kind=kind)
    cls, valid = type(configured.eraser), vars(configured.eraser)
    for key, number, bounds in numbers(cls):
        for bound, value in bounds.items():
            other = beside(value, FACING[bound], number)
            out, inside = (value, other) if bound.startswith("exclusive") else (other, value)
            with pytest.raises(ValueError, match=rf"^{name}: {key}: Input should be .*") as refused:
                build(cls, {**configured.settings, key: out}, where=name)
            assert str(refused.value).endswith(f", got {out!r}")
            assert "\n" not in str(refused.value)
            with pytest.raises(ValidationError) as refused:
                cls(**{**valid, key: out})
            assert one_line(refused.value).startswith(f"{key}: Input should be")
            assert getattr(cls(**{**valid, key: inside}), key) == inside


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_a_setting_that_the_class_lacks_is_refused_by_the_class(kind, name):
    method = load_eraser(name, preset=None, kind=kind).eraser
    with pytest.raises(ValidationError, match="stepz"):
        type(method)(**{**vars(method), "stepz": 3})


def test_a_backdoor_with_a_key_that_it_lacks_is_refused():
    pair = {"trigger": "x", "source": "Cat", "efect": "Sun"}
    with pytest.raises(ValueError, match=r"backdoors\.0\.efect: .* got 'Sun'"):
        load_eraser("evil-edit", preset=None, overrides={"backdoors": [pair]}, kind="attacks")


def test_the_ranges_are_these():
    found = {}
    for kind, name in METHODS:
        for key, _, bounds in numbers(type(load_eraser(name, preset=None, kind=kind).eraser)):
            text = ", ".join(f"{SIGNS[bound]} {value:g}" for bound, value in bounds.items())
            found[f"{name}.{key}"] = text
    assert found == {key: RANGES.get(key, RANGES.get(key.partition(".")[2])) for key in found}
    used = {key if key in RANGES else key.partition(".")[2] for key in found}
    assert used == set(RANGES)
