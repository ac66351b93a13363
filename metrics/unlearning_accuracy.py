"""UA, unlearning accuracy: is the target gone?

    UA = proportion of images requested with s* that have f(x) != s*

with s* the target and f the detector of its domain. In [0, 100] %, higher is better. Noise scores
near 100, so UA is never read alone. Over image sets of other wordings it is the share of images
asked for s* under other names or in other sentences: the mean over the sets, which are as large.

Source: Zhang et al. 2024 (arXiv 2402.11846), section 4; read as DESIGN.md defines it.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.base import MetricInputs
from metrics.proportion import Outcomes, ProportionMetric, matches, target_domain


@final
@dataclass(frozen=True, kw_only=True)
class UnlearningAccuracy(ProportionMetric):
    """Proportion of the target's images in which its own detector does not find it.

    Attributes:
        wording: Which prompts its images are asked for with, for the heading; empty: the grid's.
    """

    heading: ClassVar[str] = "UA"
    on_target: ClassVar[bool] = True

    wording: str = ""

    @property
    def label(self) -> str:
        """The heading, with the wording."""
        return f"{self.heading} {self.wording}".strip()

    def outcomes(self, inputs: MetricInputs) -> Outcomes:
        """Return the images of the target's cells."""
        domain = target_domain(inputs)
        asked = inputs.predictions.asked(domain) == inputs.target.name
        return Outcomes(asked, ~matches(inputs.predictions, domain))
