"""IRA, in-domain retain accuracy: are the other styles (or objects) still drawn?

    IRA = proportion of images requested with s, s not in {s*, Photo}, with f(x) = s

for a style target s* and the style detector f; for an object target all other objects, in all
styles. In [0, 100] %, higher is better.

Source: Zhang et al. 2024 (arXiv 2402.11846), section 4; the plain style is left out, as the authors
state in UnlearnCanvas issue 13 ("the other 49 styles").
"""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.base import MetricInputs
from metrics.proportion import Outcomes, ProportionMetric, matches, target_domain


@final
@dataclass(frozen=True, kw_only=True)
class InDomainRetainAccuracy(ProportionMetric):
    """Proportion of the other concepts' images in which the same detector finds the request.

    Attributes:
        with_reference_style: Include the reference style: the other reading of the published text.
    """

    heading: ClassVar[str] = "IRA"

    with_reference_style: bool = False

    @property
    def label(self) -> str:
        """The heading, with the reading of the published text."""
        return f"{self.heading} with Photo" if self.with_reference_style else self.heading

    def outcomes(self, inputs: MetricInputs) -> Outcomes:
        """Return the images without the target and, for styles, without the plain one."""
        domain = target_domain(inputs)
        asked = inputs.predictions.asked(domain)
        keep = asked != inputs.target.name
        if domain == "style" and not self.with_reference_style:
            keep &= asked != inputs.reference_style
        return Outcomes(keep, matches(inputs.predictions, domain))
