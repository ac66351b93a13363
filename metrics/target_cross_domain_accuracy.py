"""Cross-domain accuracy on the target's own cells: is the cat still a cat without Van Gogh?

    share of images asked for s* with g(x) = o

for a style target s* and the object detector g; an object target swaps the roles. In [0, 100] %,
higher is better. UA alone rewards garbage; this does not.

Source: DESIGN.md; not reported by Zhang et al. 2024.
"""

from dataclasses import dataclass
from typing import final

from metrics.base import Metric
from metrics.share import accuracy, other, target_domain
from unlearncanvas.types import Question, Score


@final
@dataclass(frozen=True, kw_only=True)
class TargetCrossDomainAccuracy(Metric):
    """Share of the target's images in which the other domain is right."""

    def compute(self, question: Question) -> Score:
        """Return the accuracy over all cells of the target."""
        domain = target_domain(question)
        asked = question.answers.asked(domain) == question.target.name
        return accuracy(question.answers.select(asked), other(domain))
