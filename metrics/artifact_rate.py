"""Artifact rate: how many of the target's images look like nothing that the base model draws.

    share of the images requested with s* with  c(x) < q_01  or  d(x) > q_99

with c(x) the smaller of both detectors' largest probabilities, d(x) the distance of the detectors'
features to those of the nearest real image, q_01 the 1st percentile of c and q_99 the 99th of d
over all of the base model's images. In [0, 100] %, lower is better. The base model itself has about
2 % over the whole grid, and more on a target that is far from real images: read a value against
that of ``none``. UA rewards garbage in the target's place; this does not.

Source: DESIGN.md; not reported by Zhang et al. 2024.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.distance import cdist

from metrics.base import MetricInputs, Predictions
from metrics.proportion import Outcomes, ProportionMetric, target_domain

LEAST, MOST = 0.01, 0.99
"""Quantiles of the base model's images: of the confidence, and of the distance to real images."""


@final
@dataclass(frozen=True, kw_only=True)
class ArtifactRate(ProportionMetric):
    """Proportion of the target's images that are outside what the base model draws."""

    heading: ClassVar[str] = "artifacts"
    higher_is_better: ClassVar[bool] = False
    on_target: ClassVar[bool] = True
    needs_reference: ClassVar[bool] = True
    needs_base: ClassVar[bool] = True

    extractor: str = "detectors"

    def outcomes(self, inputs: MetricInputs) -> Outcomes:
        """Return the images of the target's cells."""
        predictions, base, reference = inputs.predictions, inputs.base, inputs.reference
        if base is None or reference is None:
            raise ValueError("artifact rate needs the base model's images and real images")
        asked = predictions.asked(target_domain(inputs)) == inputs.target.name
        own, real = predictions.select(asked), reference.features[self.extractor]
        outside = np.zeros(len(asked), dtype=bool)
        outside[asked] = unlike(
            confidence(own),
            nearest(own.features[self.extractor], real),
            base_confidence=confidence(base),
            base_distance=nearest(base.features[self.extractor], real),
        )
        return Outcomes(asked, outside)


def unlike(
    sure: Float[np.ndarray, " n"],
    distance: Float[np.ndarray, " n"],
    *,
    base_confidence: Float[np.ndarray, " m"],
    base_distance: Float[np.ndarray, " m"],
) -> Bool[np.ndarray, " n"]:
    """Return whether each image is less sure or farther from real ones than the base model's."""
    return (sure < np.quantile(base_confidence, LEAST)) | (
        distance > np.quantile(base_distance, MOST)
    )


def confidence(predictions: Predictions) -> Float[np.ndarray, " n"]:
    """Return the smaller of both detectors' largest probabilities, in [0, 1]."""
    return np.minimum(
        predictions.probabilities("style").max(axis=1),
        predictions.probabilities("object").max(axis=1),
    )


def nearest(
    features: Float[np.ndarray, "n feature"], real: Float[np.ndarray, "m feature"]
) -> Float[np.ndarray, " n"]:
    """Return the Euclidean distance of each row to the nearest real one, in feature units."""
    return cdist(features, real).min(axis=1)
