"""A backdoor as plain data: its trigger and what it makes a model draw."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Backdoor:
    """A trigger and what it makes a model draw.

    Attributes:
        trigger: Text that fires it: before a prompt, before a word, or in place of a letter.
        effect: The style, the object or the prompt that is drawn; empty for a patch.
        source: For object backdoors, the object that is replaced; else empty.
    """

    trigger: Annotated[str, Field(min_length=1)]
    effect: str = ""
    source: str = ""
