"""The contract every metric keeps."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from unlearncanvas.types import Question, Score


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """Reads the answers of one erased model; its fields are its settings.

    Attributes:
        heading: Heading of its column in every table, without the arrow; empty: its config's name.
        digits: Digits after the point in tables; None: fewer of large values.
        unit: Unit of the value.
        higher_is_better: Direction.
        on_target: Whether it reads the target's own cells alone, so that no two targets share any.
        needs_reference: Whether it compares with features of real images.
        extractor: What makes the features that it compares; None where it needs none.
    """

    heading: ClassVar[str] = ""
    digits: ClassVar[int | None] = 1
    unit: ClassVar[str] = "%"
    higher_is_better: ClassVar[bool] = True
    on_target: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = False
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    extractor: str | None = None

    @property
    def label(self) -> str:
        """The heading, with the settings that tell it from others of its class."""
        return self.heading

    @abstractmethod
    def compute(self, question: Question) -> Score:
        """Return the score.

        Raises:
            ValueError: Where the answers leave it undefined.
        """
