"""Cross-domain accuracy on the target's own cells: is the cat still a cat without Van Gogh?

    proportion of images requested with s* that have g(x) = o

for a style target s* and the object detector g; an object target swaps the roles. In [0, 100] %,
higher is better. UA alone rewards destroyed images; this does not.

Source: DESIGN.md; not reported by Zhang et al. 2024.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.base import MetricInputs
from metrics.proportion import Outcomes, ProportionMetric, matches, other, target_domain


@final
@dataclass(frozen=True, kw_only=True)
class TargetCrossDomainAccuracy(ProportionMetric):
    """Proportion of the target's images in which the other domain is correct."""

    heading: ClassVar[str] = "CRA on target"
    on_target: ClassVar[bool] = True

    def outcomes(self, inputs: MetricInputs) -> Outcomes:
        """Return the images of the target's cells."""
        domain = target_domain(inputs)
        asked = inputs.predictions.asked(domain) == inputs.target.name
        return Outcomes(asked, matches(inputs.predictions, other(domain)))
