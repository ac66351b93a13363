"""The form of result files of versions before 0.7."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from metrics.base import Score
from unlearncanvas.pipelines.cost import Cost
from unlearncanvas.results.schema import MeanRow


class _Old(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1


class OldOptions(BaseModel):
    """Some of the options of a run; runs of version 0.5 kept none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier: str | None
    erase_seeds: tuple[int, ...] = ()
    dtype: str
    batch_size: int
    optimizations: tuple[str, ...] = ()
    artefacts: str = "whole"
    any_base: bool = False
    classes: dict[str, str] = {}


class OldTarget(_Old):
    """One target of one eraser: the content of ``result.json``."""

    eraser: str
    settings: dict[str, Any]
    target: str
    erase_seed: int
    protocol: str
    protocol_digest: str
    artefact_digest: str
    artifact: str | None = None
    chunks: tuple[str, ...] = ()
    seeds: tuple[int, ...]
    limited: bool
    num_images: int
    scores: dict[str, Score]
    concept_accuracy: dict[str, Score]
    cost: Cost | None
    seconds_per_image: float | None
    ufe_per_image: float | None = None
    environment: dict[str, str]


class OldGrid(_Old):
    """A run of the grid: the means, and the files of single targets."""

    protocol: str
    protocol_digest: str
    tier: str
    limited: bool
    seeds: tuple[int, ...]
    model: str
    base_digest: str
    rows: tuple[MeanRow, ...]
    floors: dict[str, Score]
    results: tuple[str, ...]
    root: str | None = None
    environment: dict[str, str]
    published: str | None = None
    asked: OldOptions | None = None


class OldRemoval(_Old):
    """One model of one attack."""

    label: str
    settings: dict[str, Any]
    artefact_digest: str
    scores: dict[str, Score]
    cost: Cost | None
    ufe_per_image: float | None = None


class OldComparison(_Old):
    """Attack success of two erasers on the same images."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float


class OldAttack(_Old):
    """All rows of one attack."""

    attack: str
    settings: dict[str, Any]
    poisoned_digest: str
    reach: str
    judge: str
    gate_passed: bool
    num_triggered: int
    rows: tuple[OldRemoval, ...]
    comparisons: tuple[OldComparison, ...]


class OldBackdoor(_Old):
    """A run of the backdoor evaluation."""

    protocol: str
    protocol_digest: str
    tier: str
    limited: bool
    known: float
    knowledge: str
    model: str
    base_digest: str
    attacks: tuple[OldAttack, ...]
    environment: dict[str, str]
    asked: OldOptions | None = None
