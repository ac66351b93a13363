"""Dotted names and settings to classes and objects, with errors that name the fix."""

import dataclasses
import importlib
import inspect
import traceback
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from unlearncanvas.core.registry import choose
from unlearncanvas.core.yaml_text import parse_yaml

T = TypeVar("T")
SHORT = 80
"""Characters of a wrong value that a message shows."""


def import_class(dotted: str) -> Any:
    """Return the class named ``package.module.Class`` or ``package.module:Class``."""
    module_name, _, class_name = dotted.replace(":", ".").rpartition(".")
    if not class_name.isidentifier() or not all(map(str.isidentifier, module_name.split("."))):
        raise ValueError(f"a class is written package.module:Class, got {dotted!r}")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as exc:
        raise ValueError(f"cannot import {dotted!r}: {exc}") from exc
    except Exception as exc:
        place = traceback.extract_tb(exc.__traceback__)[-1]
        raise ValueError(
            f"cannot import {dotted!r}: {type(exc).__name__} in {place.filename}, line "
            f"{place.lineno}: {exc}"
        ) from exc
    if not inspect.isclass(found):
        raise ValueError(f"{dotted!r} is not a class")
    return found


def class_name(cls: type) -> str:
    """Return the dotted name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def build(cls: type[T], settings: Mapping[str, Any], *, where: str) -> T:
    """Return ``cls(**settings)`` with checked keys and types.

    Raises:
        ValueError: One line: the unknown key with the known ones, or the value that does not fit.
    """
    known = [item.name for item in dataclasses.fields(cls) if item.init]  # type: ignore[arg-type]
    for key in settings:
        choose(f"setting of {where}", key, known)
    try:
        made = TypeAdapter(cls).validate_python(dict(settings))
    except ValidationError as exc:
        raise ValueError(f"{where}: {one_line(exc)}") from exc
    for key, value in settings.items():
        if isinstance(value, bool) and not isinstance(getattr(made, key), bool):
            raise ValueError(f"{where}: {key} must be a number, got {value}")
    return made


def one_line(exc: ValidationError) -> str:
    """Return the first problem of a validation error: its place and the value."""
    first = exc.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}, got {shortened(first['input'])}" if place else message


def shortened(value: object) -> str:
    """Return the text of a value, shortened for a message."""
    text = repr(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]} ..."


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """Return ``key=value`` strings as settings; values are read as YAML.

    Raises:
        ValueError: If one has no ``=``, is no YAML, or a key is given twice.
    """
    overrides: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ValueError(f"--set takes key=value, got {pair!r}")
        if key in overrides:
            raise ValueError(f"--set {key} is given twice; give each setting once")
        try:
            overrides[key] = parse_yaml(value)
        except ValueError as exc:
            raise ValueError(f"--set {key}: not a YAML value: {shortened(value)}: {exc}") from exc
    return overrides
