"""A backdoor as plain data: its trigger and its effect."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Backdoor:
    """A trigger and its effect on the image.

    Attributes:
        trigger: Text that fires it: before a prompt, before a word, or in place of a letter.
        effect: The style, the object or the prompt that is generated; empty for a patch.
        source: For object backdoors, the object that is replaced; else empty.
    """

    trigger: Annotated[str, Field(min_length=1)]
    effect: str = ""
    source: str = ""
