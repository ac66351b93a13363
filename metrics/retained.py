"""Features of the retained cells, generated and real, as many of each per cell."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from metrics.base import MetricInputs
from unlearncanvas.types import Cell


class FeaturePair(NamedTuple):
    """Two sets of features of the same cells.

    Attributes:
        generated: float64 [n, feature].
        real: float64 [n, feature].
        cells: Cells of the generated images.
    """

    generated: Float[np.ndarray, "n feature"]
    real: Float[np.ndarray, "n feature"]
    cells: Sequence[Cell]


def retained_features(inputs: MetricInputs, extractor: str) -> FeaturePair:
    """Return an extractor's features of all cells without the target.

    Raises:
        ValueError: If features are missing, or a cell has unequal numbers of images.
    """
    predictions, reference = inputs.predictions, inputs.reference
    if extractor not in predictions.features or reference is None:
        raise ValueError(
            f"this metric needs {extractor} features of the predictions and of real images"
        )
    kind = inputs.target.kind
    domain = "style" if kind == "trigger" else kind

    def kept(name: str) -> bool:
        return kind == "trigger" or name != inputs.target.name

    rows = [row for row, cell in enumerate(predictions.cells) if kept(cell.name(domain))]
    real = [row for row, cell in enumerate(reference.cells) if kept(cell.name(domain))]
    asked = Counter(predictions.cells[row] for row in rows)
    if asked != Counter(reference.cells[row] for row in real):
        raise ValueError("every retained cell needs as many real images as generated ones")
    return FeaturePair(
        predictions.features[extractor][rows].astype(np.float64),
        reference.features[extractor][real].astype(np.float64),
        [predictions.cells[row] for row in rows],
    )
