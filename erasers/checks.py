"""Refuse impossible settings, in one line."""

import math
from collections.abc import Callable, Sequence


def require_positive(settings: object, *names: str) -> None:
    """Raise ValueError unless these fields are finite and > 0."""
    _require(settings, names, "> 0", lambda value: value > 0)


def require_at_least_one(settings: object, *names: str) -> None:
    """Raise ValueError unless these fields are finite and >= 1."""
    _require(settings, names, ">= 1", lambda value: value >= 1)


def require_not_negative(settings: object, *names: str) -> None:
    """Raise ValueError unless these fields are finite and >= 0."""
    _require(settings, names, ">= 0", lambda value: value >= 0)


def require_share(settings: object, name: str) -> None:
    """Raise ValueError unless this field is in (0, 1]."""
    _require(settings, [name], "in (0, 1]", lambda value: 0 < value <= 1)


def _require(
    settings: object, names: Sequence[str], rule: str, holds: Callable[[float], bool]
) -> None:
    for name in names:
        value = getattr(settings, name)
        if not -math.inf < value < math.inf:
            raise ValueError(f"{name} must be finite, got {value}")
        if not holds(value):
            raise ValueError(f"{name} must be {rule}, got {value}")
