"""The interface of metrics."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from unlearncanvas.types import Question, Score


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """Scores the predictions for one erased model; its fields are its settings.

    Attributes:
        heading: Heading of its column in every table, without the arrow; empty: its config's name.
        digits: Decimal places in tables; None: fewer for larger values.
        unit: Unit of the value.
        higher_is_better: Direction.
        on_target: Whether it reads only the target's own cells, which no two targets share.
        needs_reference: Whether it compares with features of real images.
        extractor: Name of the feature extractor; None if it compares no features.
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
        """The heading, with the settings that distinguish it from others of its class."""
        return self.heading

    @abstractmethod
    def compute(self, question: Question) -> Score:
        """Return the score.

        Raises:
            ValueError: If the score is undefined for these predictions.
        """
