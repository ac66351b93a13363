"""Features of the retained cells, generated and real, as many of each per cell."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unlearncanvas.types import Cell, Question


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


def retained_features(question: Question, extractor: str) -> FeaturePair:
    """Return an extractor's features of all cells without the target.

    Raises:
        ValueError: If features are missing, or a cell has unequal numbers of images.
    """
    answers, reference = question.answers, question.reference
    if extractor not in answers.features or reference is None:
        raise ValueError(
            f"this metric needs {extractor} features of the answers and of real images"
        )
    kind = question.target.kind
    domain = "style" if kind == "trigger" else kind

    def kept(name: str) -> bool:
        return kind == "trigger" or name != question.target.name

    rows = [row for row, cell in enumerate(answers.cells) if kept(cell.name(domain))]
    real = [row for row, cell in enumerate(reference.cells) if kept(cell.name(domain))]
    asked = Counter(answers.cells[row] for row in rows)
    if asked != Counter(reference.cells[row] for row in real):
        raise ValueError("every retained cell needs as many real images as generated ones")
    return FeaturePair(
        answers.features[extractor][rows].astype(np.float64),
        reference.features[extractor][real].astype(np.float64),
        [answers.cells[row] for row in rows],
    )
