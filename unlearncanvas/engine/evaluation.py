"""The interface of an evaluation: its jobs, their scores, tables and figures.

An evaluation is one folder below ``unlearncanvas.evaluations`` (or outside of this package) and one
protocol file, whose ``kind`` names it. Running, resuming, shards, Ray, progress, tracking, results,
submissions and comparisons are the engine's, the same for every evaluation.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from metrics.base import Score
from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.engine.grid import Grid
from unlearncanvas.engine.job import Figure, Job, Scored
from unlearncanvas.engine.protocols import EvaluationProtocol
from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.results.export import Table
from unlearncanvas.results.schema import MeanRow, Results, Row

if TYPE_CHECKING:
    import torch

    from unlearncanvas.engine.scoring import Scoring

KeepArtifacts = Literal["whole", "half", "dropped"]
CUSTOM = "custom"
"""Tier of a run whose targets or seeds are none of the protocol's."""


@dataclass(frozen=True, kw_only=True)
class Evaluation(ABC):
    """One run of one kind of measurement, decided before anything is loaded.

    Attributes:
        kind: Name of the evaluation, as ``kind`` in a protocol's file.
        protocol: The rules, with the part of them that a tier leaves.
        whole: The rules without a tier; their digest names the protocol.
        model: Base model.
        tier: Name of the tier, or ``custom``.
        device: Where to run.
        out: Root of the run folders.
        keep_images: Write every image as a file.
        artifacts: Storage of erased weights: full precision, half precision, or deleted when all
            images are drawn.
        skip_base_check: Accept a base model whose images the detectors do not recognize.
        sources: Places of files that the package does not ship.
        config: Options that the run was started with, for replays; plain data.
    """

    kind: ClassVar[str]

    protocol: EvaluationProtocol
    whole: EvaluationProtocol
    model: str
    tier: str
    device: "torch.device"
    out: Path
    keep_images: bool = False
    artifacts: KeepArtifacts = "whole"
    skip_base_check: bool = False
    sources: Sources = SHIPPED
    config: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the protocol."""
        return self.protocol.name

    @property
    def digest(self) -> str:
        """Digest of the whole protocol; precision, batch size and optimizations are in it."""
        return self.whole.digest

    @property
    @abstractmethod
    def grid(self) -> Grid:
        """Cells, prompts, sampler, detectors and real images."""

    @property
    @abstractmethod
    def subset(self) -> bool:
        """Whether targets, seeds or images of the whole evaluation are left out."""

    @property
    @abstractmethod
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the images."""

    @abstractmethod
    def jobs(self) -> Sequence[Job]:
        """Return the jobs in the order they run; the base model's come first."""

    @abstractmethod
    def score(self, job: Job, scoring: "Scoring") -> Scored:
        """Return the scores of a job; ``scoring`` reads its images and those of other jobs."""

    def needed_for(self, job: Job) -> Sequence[Job]:
        """Return the jobs of other labels that a tested job rests on; a bundle holds their rows.

        They are those whose images its scores and notes are computed with, and those of the models
        that its own is made from.
        """
        return ()

    def real_vs_real(self, scoring: "Scoring") -> dict[str, Score]:
        """Return the metrics of real images against other real images: the best possible values."""
        return {}

    def means(self, rows: Sequence[Row]) -> tuple[MeanRow, ...]:
        """Return the means of the rows over targets, where the evaluation has any."""
        return ()

    def notes(self, rows: Sequence[Row], scoring: "Scoring") -> dict[str, dict[str, Any]]:
        """Return notes on each group, by its text: plain data."""
        return {}

    @abstractmethod
    def tables(self, results: Results) -> Sequence[Table]:
        """Return the tables of a run."""

    def figures(self, rows: Sequence[Row], scoring: "Scoring") -> Sequence[Figure]:
        """Write the figures of a run into its folder; return them."""
        return ()

    def balance(self, results: Results, label: str) -> Mapping[str, Mapping[str, float]]:
        """Return what ``tune`` weighs: percent, higher is better, by group and part.

        Raises:
            ValueError: If the evaluation has nothing to tune for.
        """
        raise ValueError(f"the evaluation {self.kind!r} does not say what to tune for")

    @property
    def published(self) -> str | None:
        """Rows in ``configs/published`` that tables show beside the measured ones."""
        return None

    @property
    def root(self) -> Path:
        """Everything of this protocol."""
        return self.out / self.name

    def folder_of(self, recipe: Recipe) -> str:
        """Return the folder of a model below ``root``; another protocol or precision has another.

        Raises nothing: a folder may hold an artifact of another digest, which is made again then.
        """
        half = ["half"] if self.artifacts == "half" else []
        return recipe.folder(self.digest, *half)

    @abstractmethod
    def run_folder(self) -> Path:
        """Return the folder of tables, figures and ``results.json``."""
