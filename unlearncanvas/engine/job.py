"""Jobs of an evaluation, their scores, and the figures of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from metrics.base import Score
from metrics.per_image import PerImage
from unlearncanvas.engine.image_sets import ImageSet
from unlearncanvas.engine.recipe import Recipe

Role = Literal["baseline", "tested"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One model with its image sets: one row of the results.

    Jobs of one recipe share its artifact, and equal image sets are drawn once.

    Attributes:
        label: Name of the row in tables.
        role: ``baseline`` for rows that others are compared with, ``tested`` for measured ones.
        group: Target, attack or step: ``{"target": "style:Cubism"}``, ``{"attack": "evil-edit"}``.
            Rows of one group are compared in pairs.
        recipe: How the model is made.
        image_sets: Image sets that the model draws.
        is_base: Whether the detectors must recognize its images: the base model's job.
    """

    label: str
    role: Role
    group: Mapping[str, str]
    recipe: Recipe
    image_sets: tuple[ImageSet, ...]
    is_base: bool = False


class Figure(NamedTuple):
    """A figure of a run, as an image file.

    Attributes:
        path: The file.
        name: Its name in trackers and pages, ``heatmap``.
        label: Label of its row; None if it shows several.
        group: Its group; empty if it shows several.
    """

    path: Path
    name: str
    label: str | None = None
    group: Mapping[str, str] = {}


class Scored(NamedTuple):
    """The scores of one job.

    Attributes:
        scores: Scores by name of the metric.
        details: Further scores that no table shows, by name.
        per_image: Values of each image by name of the score, for comparisons of rows.
    """

    scores: dict[str, Score]
    details: Mapping[str, Score] = {}
    per_image: Mapping[str, PerImage] = {}
