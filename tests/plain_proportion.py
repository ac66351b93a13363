"""A metric from outside, as a user would add it: one class, one config."""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.proportion import Outcomes, ProportionMetric


@final
@dataclass(frozen=True, kw_only=True)
class PlainProportion(ProportionMetric):
    """Proportion of images in which the style detector finds a style other than the plain one."""

    heading: ClassVar[str] = "in color"
    digits: ClassVar[int | None] = 2
    higher_is_better: ClassVar[bool] = False

    loud: bool = False

    @property
    def label(self):
        return f"{self.heading}!" if self.loud else self.heading

    def outcomes(self, question):
        seen = question.answers.seen("style")
        return Outcomes(seen == seen, seen != question.plain_style)
