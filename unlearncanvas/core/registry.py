"""The registry: one YAML file per entry in ``configs/``; no list is edited."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unlearncanvas.core.yaml_text import parse_yaml

_INSTALLED = Path(__file__).parents[1] / "configs"
CONFIG_DIR = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "configs"
"""Inside the wheel, the package's own copy; in a checkout, the folder at the top."""


def names(kind: str) -> list[str]:
    """Return the names of a registry: ``erasers``, ``metrics`` or ``protocols``."""
    return sorted(path.stem for path in (CONFIG_DIR / kind).glob("*.yaml"))


def choose(what: str, name: str, known: Iterable[str]) -> str:
    """Return ``name`` if it is known.

    Raises:
        ValueError: If not; the message has the nearest names first.
    """
    known = list(known)
    if name in known:
        return name
    folded = {item.casefold().replace("_", " "): item for item in known}
    near = difflib.get_close_matches(name.casefold().replace("_", " "), folded, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(folded[item] for item in near)}? " if near else ""
    raise ValueError(f"unknown {what} {name!r}; {hint}choose from {', '.join(known)}")


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a YAML file's mapping.

    Raises:
        ValueError: If it cannot be read or is not a mapping.
    """
    try:
        data = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ValueError(f"cannot read {path}: {exc}") from exc
    if not isinstance(data, dict):
        raise ValueError(f"{path} must hold keys and values, got {type(data).__name__}")
    return data


def find_config(kind: str, name: str) -> Path:
    """Return the path of a registered config, or of a YAML file given by its path."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise ValueError(f"no such config file: {path}")
        return path
    return CONFIG_DIR / kind / f"{choose(kind.removesuffix('s'), name, names(kind))}.yaml"
