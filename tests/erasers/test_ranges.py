"""Every range that a setting of an eraser or an attack declares is kept, up to its ends."""

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
def test_each_number_has_a_lower_bound(kind, name):
    for key, _, bounds in numbers(type(load_eraser(name, preset=None, kind=kind).eraser)):
        assert bounds.keys() & {"minimum", "exclusiveMinimum"}, key
