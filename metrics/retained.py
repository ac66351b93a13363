"""The retained cells; their features, generated and real, as many of each per cell."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from metrics.base import MetricInputs
from unlearncanvas.types import Cell, Concept


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
    rows = np.flatnonzero(retained(predictions.cells, inputs.target)).tolist()
    real = np.flatnonzero(retained(reference.cells, inputs.target)).tolist()
    asked = Counter(predictions.cells[row] for row in rows)
    if asked != Counter(reference.cells[row] for row in real):
        raise ValueError("every retained cell needs as many real images as generated ones")
    return FeaturePair(
        predictions.features[extractor][rows].astype(np.float64),
        reference.features[extractor][real].astype(np.float64),
        [predictions.cells[row] for row in rows],
    )


def retained(cells: Sequence[Cell], target: Concept) -> Bool[np.ndarray, " n"]:
    """Return whether each cell is without the target; every cell is without a trigger."""
    kind = target.kind
    if kind == "trigger":
        return np.ones(len(cells), dtype=bool)
    return np.array([cell.name(kind) != target.name for cell in cells])
