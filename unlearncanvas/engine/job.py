"""A job of an evaluation, what it scores, and what a run shows of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from metrics.base import Score
from unlearncanvas.engine.image_sets import ImageSet
from unlearncanvas.engine.recipe import Recipe

Role = Literal["baseline", "tested"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One model that is drawn with and scored once: one row of the results.

    Jobs of one recipe share its artifact, and what they draw alike is drawn once.

    Attributes:
        label: Name of the row in tables.
        role: ``baseline`` for rows to read others by, ``tested`` for what is measured.
        group: What it is measured on: ``{"target": "style:Cubism"}``, ``{"attack": "evil-edit"}``.
            Rows of one group are compared in pairs.
        recipe: How the model is made.
        image_sets: What is drawn with it.
        is_base: Whether the detectors must recognize what it draws: the base model's job.
    """

    label: str
    role: Role
    group: Mapping[str, str]
    recipe: Recipe
    image_sets: tuple[ImageSet, ...]
    is_base: bool = False


class Figure(NamedTuple):
    """A picture that a run ends with.

    Attributes:
        path: The file.
        name: Its name in trackers and pages, ``heatmap``.
        label: Row that it shows; None if it shows several.
        group: Group that it shows; empty if it shows several.
    """

    path: Path
    name: str
    label: str | None = None
    group: Mapping[str, str] = {}


class PerImage(NamedTuple):
    """One value an image, for paired comparisons with another row of the group.

    Attributes:
        values: [n], percent or another unit.
        cells: What each image was asked to show; cells are the clusters of the test.
        seeds: Its seed.
    """

    values: np.ndarray
    cells: Sequence[object]
    seeds: Sequence[int]


class Scored(NamedTuple):
    """What one job scored.

    Attributes:
        scores: By name of the metric.
        details: Further scores that no table shows, by name.
        per_image: By name of a score, the values that rows are compared by.
    """

    scores: dict[str, Score]
    details: Mapping[str, Score] = {}
    per_image: Mapping[str, PerImage] = {}
