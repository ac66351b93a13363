"""UA, unlearning accuracy: is the target gone?

    UA = share of images asked for s* with f(x) != s*

with s* the target and f the detector of its domain. In [0, 100] %, higher is better. Noise has it
near 100, so it is never read alone.

Source: Zhang et al. 2024 (arXiv 2402.11846), section 4; read as DESIGN.md defines it.
"""

from dataclasses import dataclass
from typing import final

from metrics.base import Metric
from metrics.share import accuracy, target_domain
from unlearncanvas.types import Question, Score


@final
@dataclass(frozen=True, kw_only=True)
class UnlearningAccuracy(Metric):
    """Share of the target's images in which its own detector does not find it."""

    def compute(self, question: Question) -> Score:
        """Return UA over all cells of the target."""
        domain = target_domain(question)
        asked = question.answers.asked(domain) == question.target.name
        return accuracy(question.answers.select(asked), domain, wrong=True)
