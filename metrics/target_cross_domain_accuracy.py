"""Cross-domain accuracy on the target's own cells: is the cat still a cat without Van Gogh?

    share of images asked for s* with g(x) = o

for a style target s* and the object detector g; an object target swaps the roles. In [0, 100] %,
higher is better. UA alone rewards garbage; this does not.

Source: DESIGN.md; not reported by Zhang et al. 2024.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.share import Counted, ShareMetric, matches, other, target_domain
from unlearncanvas.types import Question


@final
@dataclass(frozen=True, kw_only=True)
class TargetCrossDomainAccuracy(ShareMetric):
    """Share of the target's images in which the other domain is right."""

    heading: ClassVar[str] = "CRA on target"
    on_target: ClassVar[bool] = True

    def counted(self, question: Question) -> Counted:
        """Return the images of the target's cells."""
        domain = target_domain(question)
        asked = question.answers.asked(domain) == question.target.name
        return Counted(asked, matches(question.answers, other(domain)))
