"""JSON files of our own, read back and checked."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from unlearncanvas.core.building import one_line

T = TypeVar("T", bound=BaseModel)


def read_json(kind: type[T], path: Path) -> T:
    """Return what a file holds.

    Raises:
        ValueError: One line, if it is missing or not such a file of this version.
    """
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as exc:
        raise ValueError(f"{path} is not a readable {path.name}: {one_line(exc)}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"{path} cannot be read: {exc}") from exc
