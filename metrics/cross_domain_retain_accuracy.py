"""CRA, cross-domain retain accuracy: is the object still drawn when a style is forgotten?

    CRA = share of images asked for s != s* (Photo included) with g(x) = o

for a style target s* and the object detector g; an object target swaps the roles. In [0, 100] %,
higher is better.

Source: Zhang et al. 2024 (arXiv 2402.11846), section 4. The README of the release averages over all
styles, s* included; the images asked for s* are in ``target_cross_domain_accuracy`` here.
"""

from dataclasses import dataclass
from typing import final

from metrics.base import Metric
from metrics.share import accuracy, other, target_domain
from unlearncanvas.types import Question, Score


@final
@dataclass(frozen=True, kw_only=True)
class CrossDomainRetainAccuracy(Metric):
    """Share of the images without the target in which the other domain is right.

    Attributes:
        with_target: Average over the whole grid, as the release's README does.
    """

    with_target: bool = False

    def compute(self, question: Question) -> Score:
        """Return CRA over the cells without the target, or over all."""
        domain, answers = target_domain(question), question.answers
        if not self.with_target:
            answers = answers.select(answers.asked(domain) != question.target.name)
        return accuracy(answers, other(domain))
