"""Residual: how much of the target its own detector still sees.

    residual = mean of p_f(s* | x)  over the images requested with s*

in percent, with s* the target and p_f the probabilities of the detector of its domain. In
[0, 100] %, lower is better. UA without its threshold: it tells apart erasers whose UA is the same.
Noise scores near 0, so it is never read alone.

Source: DESIGN.md; not reported by Zhang et al. 2024.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from metrics.base import MetricInputs
from metrics.mean import MeanMetric
from metrics.per_image import PerImage
from metrics.proportion import target_domain


@final
@dataclass(frozen=True, kw_only=True)
class Residual(MeanMetric):
    """Mean probability of the target on its own images."""

    heading: ClassVar[str] = "residual"
    higher_is_better: ClassVar[bool] = False
    on_target: ClassVar[bool] = True

    def per_image(self, inputs: MetricInputs) -> PerImage:
        """Return the target's probability in each of its images, in percent."""
        domain, name = target_domain(inputs), inputs.target.name
        names = list(inputs.detector_names.get(domain, ()))
        if name not in names:
            raise ValueError(f"residual needs a {domain} detector that knows {name!r}")
        own = inputs.predictions.select(inputs.predictions.asked(domain) == name)
        values = 100 * own.probabilities(domain)[:, names.index(name)]
        return PerImage(values, own.cells, own.seeds)
