"""CRA, cross-domain retain accuracy: is the object still drawn when a style is forgotten?

    CRA = share of images asked for s != s* (Photo included) with g(x) = o

for a style target s* and the object detector g; an object target swaps the roles. In [0, 100] %,
higher is better.

Source: Zhang et al. 2024 (arXiv 2402.11846), section 4. The README of the release averages over all
styles, s* included; the images asked for s* are in ``target_cross_domain_accuracy`` here.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.share import Counted, ShareMetric, matches, other, target_domain
from unlearncanvas.types import Question


@final
@dataclass(frozen=True, kw_only=True)
class CrossDomainRetainAccuracy(ShareMetric):
    """Share of the images without the target in which the other domain is right.

    Attributes:
        with_target: Average over the whole grid, as the release's README does.
    """

    heading: ClassVar[str] = "CRA"

    with_target: bool = False

    @property
    def label(self) -> str:
        """The heading, with the cells that it is over."""
        return f"{self.heading} whole grid" if self.with_target else self.heading

    def counted(self, question: Question) -> Counted:
        """Return the images without the target, or all."""
        domain, answers = target_domain(question), question.answers
        keep = (answers.asked(domain) != question.target.name) | self.with_target
        return Counted(keep, matches(answers, other(domain)))
