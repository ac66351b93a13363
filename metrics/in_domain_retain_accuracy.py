"""IRA, in-domain retain accuracy: are the other styles (or objects) still drawn?

    IRA = share of images asked for s, s not in {s*, Photo}, with f(x) = s

for a style target s* and the style detector f; for an object target all other objects, in every
style. In [0, 100] %, higher is better.

Source: Zhang et al. 2024 (arXiv 2402.11846), section 4; the plain style is left out, as the authors
state in UnlearnCanvas issue 13 ("the other 49 styles").
"""

from dataclasses import dataclass
from typing import final

from metrics.base import Metric
from metrics.share import accuracy, target_domain
from unlearncanvas.types import Question, Score


@final
@dataclass(frozen=True, kw_only=True)
class InDomainRetainAccuracy(Metric):
    """Share of the other concepts' images in which the same detector finds what was asked for.

    Attributes:
        with_plain_style: Count the plain style, too, another reading of the published text.
    """

    with_plain_style: bool = False

    def compute(self, question: Question) -> Score:
        """Return IRA over the cells without the target and, for styles, without the plain one."""
        domain = target_domain(question)
        asked = question.answers.asked(domain)
        keep = asked != question.target.name
        if domain == "style" and not self.with_plain_style:
            keep &= asked != question.plain_style
        return accuracy(question.answers.select(keep), domain)
