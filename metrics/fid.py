"""FID, Fréchet distance of features, on the retained cells only.

    FID = |m_g - m_r|^2 + tr(S_g + S_r - 2 (S_g S_r)^(1/2))

with mean m and covariance S of the generated (g) and the real (r) features. >= 0, lower is better.
Biased upwards for small n: compare at equal n, and beside the value of real against real images.

Source: Heusel et al. 2017 (arXiv 1706.08500), equation 6; torchmetrics' implementation in float64.
The extractor is named by the metric's config; on the mini canvas it is the protocol's two
detectors side by side, not Inception.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from jaxtyping import Float
from torchmetrics.image.fid import FrechetInceptionDistance

from metrics.base import Metric, MetricInputs, Score
from metrics.intervals import jackknife_cells
from metrics.retained import retained_features


@final
@dataclass(frozen=True, kw_only=True)
class FrechetDistance(Metric):
    """Distance between the generated and the real images of the retained cells."""

    heading: ClassVar[str] = "FID"
    digits: ClassVar[int | None] = None
    unit: ClassVar[str] = "FID"
    higher_is_better: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = True

    extractor: str = "detectors"

    @property
    def label(self) -> str:
        """The heading, with the network if it is torchvision's."""
        other = self.extractor == "inception_torchvision"
        return f"{self.heading} (torchvision)" if other else self.heading

    def compute(self, inputs: MetricInputs) -> Score:
        """Return FID, with a jackknife over the cells of the generated images."""
        generated, real, cells = retained_features(inputs, self.extractor)
        value = frechet_distance(generated, real)
        interval = jackknife_cells(
            lambda rows: frechet_distance(generated[rows], real), value, cells
        )
        return Score(
            value=value,
            n=len(generated),
            low=None if interval is None else max(0.0, interval.low),
            high=None if interval is None else interval.high,
            unit=self.unit,
            higher_is_better=self.higher_is_better,
        )


class PassFeatures(torch.nn.Module):
    """The extractor that torchmetrics requires, for features that are computed already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features."""
        return features


def frechet_distance(
    generated: Float[np.ndarray, "n feature"], real: Float[np.ndarray, "m feature"]
) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to two sets of features.

    Raises:
        ValueError: If either set has fewer than two rows.
    """
    if min(len(generated), len(real)) < 2:
        raise ValueError("FID needs at least two images on both sides")
    metric = FrechetInceptionDistance(
        feature=PassFeatures(real.shape[1]), normalize=True, sync_on_compute=False
    )
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(generated), real=False)
    return max(0.0, float(metric.compute()))
