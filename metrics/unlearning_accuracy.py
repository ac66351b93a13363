"""UA, unlearning accuracy: is the target gone?

    UA = share of images asked for s* with f(x) != s*

with s* the target and f the detector of its domain. In [0, 100] %, higher is better. Noise has it
near 100, so it is never read alone.

Source: Zhang et al. 2024 (arXiv 2402.11846), section 4; read as DESIGN.md defines it.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.share import Counted, ShareMetric, matches, target_domain
from unlearncanvas.types import Question


@final
@dataclass(frozen=True, kw_only=True)
class UnlearningAccuracy(ShareMetric):
    """Share of the target's images in which its own detector does not find it."""

    heading: ClassVar[str] = "UA"
    on_target: ClassVar[bool] = True

    def counted(self, question: Question) -> Counted:
        """Return the images of the target's cells."""
        domain = target_domain(question)
        asked = question.answers.asked(domain) == question.target.name
        return Counted(asked, ~matches(question.answers, domain))
