"""KID, kernel distance of features, on the retained cells only.

    KID = mean over subsets of MMD^2 with the kernel k(x, y) = (x^T y / d + 1)^3

with d the number of features. Unbiased: it may be below 0; lower is better. Shown times 1,000.

Source: Binkowski et al. 2018 (arXiv 1801.01401), section 4; torchmetrics' implementation. It draws
its subsets from the global generator, so that one is forked and seeded here.
"""

import warnings
from typing import Annotated, ClassVar, final

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass
from torchmetrics.image.kid import KernelInceptionDistance

from metrics.base import Metric, MetricInputs, Score
from metrics.fid import PassFeatures
from metrics.intervals import jackknife_cells
from metrics.retained import retained_features


@final
@dataclass(frozen=True, kw_only=True)
class KernelDistance(Metric):
    """Kernel distance between the generated and the real images of the retained cells.

    Attributes:
        subset_size: Images per subset and side, >= 2. Without a default: protocol digests are over
            the value in the metric's config.
        num_subsets: Number of subsets, drawn with a fixed seed; likewise.
    """

    heading: ClassVar[str] = "KID x1000"
    digits: ClassVar[int | None] = None
    unit: ClassVar[str] = "KID x 1000"
    higher_is_better: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = True

    extractor: str = "detectors"
    subset_size: Annotated[int, Field(ge=2)]
    num_subsets: PositiveInt

    def compute(self, inputs: MetricInputs) -> Score:
        """Return KID x 1000, with a jackknife over the cells of the generated images."""
        generated, real, cells = retained_features(inputs, self.extractor)

        def distance(rows: np.ndarray) -> float:
            return 1000 * kernel_distance(
                generated[rows], real, subset_size=self.subset_size, num_subsets=self.num_subsets
            )

        value = distance(np.arange(len(generated)))
        interval = jackknife_cells(distance, value, cells)
        return Score(
            value=value,
            n=len(generated),
            low=None if interval is None else interval.low,
            high=None if interval is None else interval.high,
            unit=self.unit,
            higher_is_better=self.higher_is_better,
        )


def kernel_distance(
    generated: Float[np.ndarray, "n feature"],
    real: Float[np.ndarray, "m feature"],
    *,
    subset_size: int,
    num_subsets: int,
) -> float:
    """Return the mean squared maximum mean discrepancy over seeded subsets.

    Raises:
        ValueError: If a side has fewer images than a subset.
    """
    if min(len(generated), len(real)) < subset_size:
        raise ValueError(
            f"KID needs at least {subset_size} images on both sides, "
            f"got {len(generated)} and {len(real)}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it says that it keeps all features in memory
        metric = KernelInceptionDistance(
            feature=PassFeatures(real.shape[1]),
            subsets=num_subsets,
            subset_size=subset_size,
            normalize=True,
            sync_on_compute=False,
        )
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(real), real=True)
    metric.update(torch.from_numpy(generated), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return float(metric.compute()[0])
