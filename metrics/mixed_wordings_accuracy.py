"""Retention in mixed wordings: are other concepts still drawn when they are asked for otherwise?

    proportion of images requested with (s, o), without the target, with f(x) = s and g(x) = o

with f and g the style and the object detector, on a tenth of the retained cells, whose styles and
objects go by synonyms, descriptions and words of other languages in sentences that are not the
protocol's. In [0, 100] %, higher is better.

Source: ours; the prompts are in :mod:`unlearncanvas.evaluations.grid.wordings`.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.base import MetricInputs
from metrics.proportion import Outcomes, ProportionMetric, matches, target_domain


@final
@dataclass(frozen=True, kw_only=True)
class MixedWordingsAccuracy(ProportionMetric):
    """Proportion of the retained images in which both detectors find the request."""

    heading: ClassVar[str] = "retained, mixed"

    def outcomes(self, inputs: MetricInputs) -> Outcomes:
        """Return the images without the target."""
        retained = inputs.predictions.asked(target_domain(inputs)) != inputs.target.name
        both = matches(inputs.predictions, "style") & matches(inputs.predictions, "object")
        return Outcomes(retained, both)
