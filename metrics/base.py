"""The interface of metrics."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, model_validator

from unlearncanvas.types import Cell, Concept, Domain


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Requested and detected concepts, one entry per image.

    Attributes:
        cells: The requested style and object of each image.
        seeds: The protocol's seed of each image.
        style_pred: Style detector's prediction.
        object_pred: Object detector's prediction.
        style_prob: Style detector's probabilities, in the order of its names; None where only its
            predictions are known.
        object_prob: The same of the object detector.
        features: Features by extractor, float64 [n, feature] each; only those that metrics need.
    """

    cells: Sequence[Cell]
    seeds: Sequence[int]
    style_pred: Sequence[str]
    object_pred: Sequence[str]
    style_prob: Float[np.ndarray, "n style"] | None = None
    object_prob: Float[np.ndarray, "n object"] | None = None
    features: Mapping[str, Float[np.ndarray, "n _"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.cells), len(self.seeds), len(self.style_pred), len(self.object_pred)}
        lengths |= {len(rows) for rows in self.features.values()}
        lengths |= {len(rows) for rows in (self.style_prob, self.object_prob) if rows is not None}
        if len(lengths) != 1:
            raise ValueError(
                f"predictions must have one entry per image, got lengths {sorted(lengths)}"
            )

    def asked(self, domain: Domain) -> np.ndarray:
        """Return the requested names, [n]."""
        return np.array([cell.name(domain) for cell in self.cells])

    def seen(self, domain: Domain) -> np.ndarray:
        """Return the detected names, [n]."""
        return np.array(self.style_pred if domain == "style" else self.object_pred)

    def probabilities(self, domain: Domain) -> Float[np.ndarray, "n name"]:
        """Return a detector's probabilities, in the order of its names.

        Raises:
            ValueError: If only its predictions are known.
        """
        found = self.style_prob if domain == "style" else self.object_prob
        if found is None:
            raise ValueError(f"this metric needs the {domain} detector's probabilities")
        return found

    def select(self, mask: np.ndarray) -> "Predictions":
        """Return the images where ``mask`` [n] is True."""
        return self.take(np.flatnonzero(mask).tolist())

    def take(self, rows: Sequence[int]) -> "Predictions":
        """Return the images of some rows, in their order."""
        return Predictions(
            cells=[self.cells[row] for row in rows],
            seeds=[self.seeds[row] for row in rows],
            style_pred=[self.style_pred[row] for row in rows],
            object_pred=[self.object_pred[row] for row in rows],
            style_prob=None if self.style_prob is None else self.style_prob[list(rows)],
            object_prob=None if self.object_prob is None else self.object_prob[list(rows)],
            features={name: values[list(rows)] for name, values in self.features.items()},
        )

    @classmethod
    def pooled(cls, parts: "Sequence[Predictions]") -> "Predictions":
        """Return the images of several image sets; equal seeds of two sets become different ones.

        Features and probabilities are kept that all parts have.
        """
        return cls(
            cells=[cell for part in parts for cell in part.cells],
            seeds=[
                seed * len(parts) + place for place, part in enumerate(parts) for seed in part.seeds
            ],
            style_pred=[name for part in parts for name in part.style_pred],
            object_pred=[name for part in parts for name in part.object_pred],
            style_prob=_joined([part.style_prob for part in parts]),
            object_prob=_joined([part.object_prob for part in parts]),
            features={
                name: np.concatenate([part.features[name] for part in parts])
                for name in parts[0].features
                if all(name in part.features for part in parts)
            },
        )


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


@dataclass(frozen=True, kw_only=True)
class MetricInputs:
    """The predictions for one erased model with what a metric compares them to.

    Attributes:
        predictions: All images of the grid, or of the metric's own image sets.
        target: The erased concept.
        reference_style: The style that means no style; never a target, excluded from IRA.
        reference: Features of real images and their cells; None if no metric needs them.
        base: The base model's images of the same cells and seeds, each from the same noise; None if
            no metric needs them or they were not drawn.
        detector_names: Names of each detector's probabilities, in their order.
    """

    predictions: Predictions
    target: Concept
    reference_style: str
    reference: "RealFeatures | None" = None
    base: Predictions | None = None
    detector_names: Mapping[Domain, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RealFeatures:
    """Features of real images, by the extractors of the predictions."""

    cells: Sequence[Cell]
    features: Mapping[str, Float[np.ndarray, "n _"]]

    def only(self, cells: Collection[Cell]) -> "RealFeatures":
        """Return the images of some cells."""
        rows = [row for row, cell in enumerate(self.cells) if cell in cells]
        return RealFeatures(
            cells=[self.cells[row] for row in rows],
            features={name: values[rows] for name, values in self.features.items()},
        )


class Score(BaseModel):
    """One number with its interval.

    Attributes:
        value: The estimate.
        n: Number of images, or of targets for a mean over targets.
        low: Lower bound of the 95 % interval; None if there is no valid interval.
        high: Upper bound of the 95 % interval; None if there is no valid interval.
        unit: ``"%"`` or the metric's own unit.
        higher_is_better: Direction.
        over: For a mean over targets, the sampling unit of its interval: new ``targets`` of this
            kind, or the ``cells`` of exactly these targets. None for a single target, whose
            interval is over cells, and in files of versions before 0.6.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: float
    n: int = Field(ge=1)
    low: float | None = None
    high: float | None = None
    unit: str = "%"
    higher_is_better: bool = True
    over: Literal["targets", "cells"] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "Score":
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval needs both bounds or none")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"interval must have low <= high, got [{self.low}, {self.high}]")
        return self


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """Scores the predictions for one erased model; its fields are its settings.

    Attributes:
        heading: Heading of its column in every table, without the arrow; empty: its config's name.
        digits: Decimal places in tables; None: fewer for larger values.
        unit: Unit of the value.
        higher_is_better: Direction.
        on_target: Whether it reads only the target's own cells, which no two targets share.
        needs_reference: Whether it compares with features of real images.
        needs_base: Whether it compares with the base model's images.
        extractor: Name of the feature extractor; None if it compares no features.
        image_sets: Image sets of other wordings whose images it is given; empty: those of the grid.
    """

    heading: ClassVar[str] = ""
    digits: ClassVar[int | None] = 1
    unit: ClassVar[str] = "%"
    higher_is_better: ClassVar[bool] = True
    on_target: ClassVar[bool] = False
    needs_reference: ClassVar[bool] = False
    needs_base: ClassVar[bool] = False
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    extractor: str | None = None
    image_sets: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The heading, with the settings that distinguish it from others of its class."""
        return self.heading

    @abstractmethod
    def compute(self, inputs: MetricInputs) -> Score:
        """Return the score.

        Raises:
            ValueError: If the score is undefined for these predictions.
        """
