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
        unit: Unit of the value.
        higher_is_better: Direction.
        needs_reference: Whether it compares with features of real images.
        extractor: What makes the features that it compares; None where it needs none.
    """

    unit: ClassVar[str] = "%"
    higher_is_better: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = False
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    extractor: str | None = None

    @abstractmethod
    def compute(self, question: Question) -> Score:
        """Return the score.

        Raises:
            ValueError: Where the answers leave it undefined.
        """
