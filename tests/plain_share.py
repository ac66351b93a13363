"""A metric from outside, as a user would add it: one class, one config."""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.share import Counted, ShareMetric


@final
@dataclass(frozen=True, kw_only=True)
class PlainShare(ShareMetric):
    """Share of all images in which the style detector sees another style than the plain one."""

    heading: ClassVar[str] = "in color"
    digits: ClassVar[int | None] = 2
    higher_is_better: ClassVar[bool] = False

    loud: bool = False

    @property
    def label(self):
        return f"{self.heading}!" if self.loud else self.heading

    def counted(self, question):
        seen = question.answers.seen("style")
        return Counted(seen == seen, seen != question.plain_style)
