"""CRA, cross-domain retain accuracy: is the object still drawn when a style is forgotten?

    CRA = proportion of images requested with s != s* (Photo included) with g(x) = o

for a style target s* and the object detector g; an object target swaps the roles. In [0, 100] %,
higher is better.

Source: Zhang et al. 2024 (arXiv 2402.11846), section 4. The README of the release averages over all
styles, s* included; the images requested with s* are scored by ``target_cross_domain_accuracy``.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.base import MetricInputs
from metrics.proportion import Outcomes, ProportionMetric, matches, other, target_domain


@final
@dataclass(frozen=True, kw_only=True)
class CrossDomainRetainAccuracy(ProportionMetric):
    """Proportion of the images without the target in which the other domain is correct.

    Attributes:
        with_target: Average over the whole grid, as the release's README does.
    """

    heading: ClassVar[str] = "CRA"

    with_target: bool = False

    @property
    def label(self) -> str:
        """The heading, with the cells that it averages over."""
        return f"{self.heading} whole grid" if self.with_target else self.heading

    def outcomes(self, inputs: MetricInputs) -> Outcomes:
        """Return the images without the target, or all of them."""
        domain, predictions = target_domain(inputs), inputs.predictions
        keep = (predictions.asked(domain) != inputs.target.name) | self.with_target
        return Outcomes(keep, matches(predictions, other(domain)))
