"""Types of the fields of protocols and plans."""

import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_SEED = 2**63 - 1
"""torch's generators take up to 2^64 - 1, the integers of Parquet end here."""
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
T = TypeVar("T")


def as_file_name(name: str) -> str:
    """Return a name that can be a folder's: no separators, no leading dot, no line breaks.

    Raises:
        ValueError: If it cannot.
    """
    if not re.fullmatch(r"\w([\w .,'&()+-]*[\w)'+])?", name):
        raise ValueError(
            f"a name holds letters, digits, spaces and _ . , ' & ( ) + - only, got {name!r}"
        )
    return name


def different(items: tuple[T, ...]) -> tuple[T, ...]:
    """Return the items.

    Raises:
        ValueError: If one of them occurs twice.
    """
    for place, item in enumerate(items):
        if item in items[:place]:
            raise ValueError(f"duplicate {item!r}")
    return items


Name = Annotated[str, AfterValidator(as_file_name)]
Names = Annotated[tuple[Name, ...], AfterValidator(different)]
Seeds = Annotated[tuple[Seed, ...], AfterValidator(different)]


class Frozen(BaseModel):
    """An immutable model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def plain(self) -> dict[str, Any]:
        """Return what is not at its default as plain data, for digests: a new key changes none."""
        return self.model_dump(mode="json", exclude_defaults=True)
