"""Result files: one per target, one per run; validated, versioned, written atomically."""

import os
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from metrics.base import Score
from unlearncanvas.core.files import write_text
from unlearncanvas.core.json_file import read_json
from unlearncanvas.pipelines.cost import Cost
from unlearncanvas.results.run_config import RunConfig

BASELINES = ("none", "noise")
"""Rows of every table, so that nobody reads UA alone."""


class Result(BaseModel):
    """All that one erased model scored; the content of ``result.json``.

    ``cost``, ``seconds_per_image`` and ``ufe_per_image`` (UNet forward equivalents while drawing)
    are None where someone else erased and drew; the last also in files from before it was counted.
    ``artifact`` is the folder of the erased model and ``chunks`` are the files of its images' rows,
    relative to the file; None and none where someone else drew, and in files from before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    eraser: str
    settings: dict[str, object]
    target: str
    erase_seed: int
    protocol: str
    protocol_digest: str
    artifact_digest: str = Field(
        validation_alias=AliasChoices("artifact_digest", "artefact_digest")
    )
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


class Row(BaseModel):
    """One eraser of a run.

    Attributes:
        label: Name in tables: the eraser, with the erase seed where there are several.
        kind: Which targets it is the mean over: ``style`` or ``object``.
        ufe: Mean work of an erasure; of images generated for it, ``gallery_ufe``.
        seconds_per_image: While drawing with the erased model.
        ufe_per_image: Work while drawing, that of hooks included.

    Costs are None where someone else erased and drew, and nobody counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    kind: Literal["style", "object"]
    targets: tuple[str, ...]
    scores: dict[str, Score]
    ufe: float | None
    gallery_ufe: float = 0.0
    erase_seconds: float | None
    stored_bytes: float | None
    peak_memory_bytes: int | None
    seconds_per_image: float | None
    ufe_per_image: float | None = None


class Asked(BaseModel):
    """What results held of the options before version 0.7, where ``config`` holds them all.

    Attributes:
        tier: Whose part of the grid, or whose counts; None is the whole grid.
        erase_seeds: Seeds of the erasers.
        dtype: Precision of drawing.
        batch_size: Images drawn together.
        optimizations: What makes drawing faster.
        artifacts: What became of erased weights; ``half`` is other digits.
        skip_base_check: Whether a base model that the detectors do not recognise was scored.
        classes: Dotted class of each eraser, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier: str | None
    erase_seeds: tuple[int, ...] = ()
    dtype: str
    batch_size: int
    optimizations: tuple[str, ...] = ()
    artifacts: str = Field(default="whole", validation_alias=AliasChoices("artifacts", "artefacts"))
    skip_base_check: bool = Field(
        default=False, validation_alias=AliasChoices("skip_base_check", "any_base")
    )
    classes: dict[str, str] = {}


class RunResults(BaseModel):
    """One run: the means, the floors and where each came from; the content of ``results.json``.

    Attributes:
        results: Paths of the result files of single targets, from ``root``.
        root: Folder that they start from, relative to this file; None in files from before, which
            lie three folders below it.
        config: Options that make these numbers again; None in older files, and where the images
            were generated elsewhere.
        asked: Some of the options, in older files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    protocol: str
    protocol_digest: str
    tier: str
    limited: bool
    seeds: tuple[int, ...]
    model: str
    base_digest: str
    rows: tuple[Row, ...]
    floors: dict[str, Score]
    results: tuple[str, ...]
    root: str | None = None
    environment: dict[str, str]
    published: str | None = None
    config: RunConfig | None = None
    asked: Asked | None = None


def relative(path: Path, start: Path) -> str:
    """Return a path as it is written in a result file that lies in ``start``."""
    return Path(os.path.relpath(path, start)).as_posix()


def write_result(folder: Path, result: Result) -> Path:
    """Write ``result.json`` and return its path."""
    path = folder / "result.json"
    write_text(path, result.model_dump_json(indent=2) + "\n")
    return path


def write_results(folder: Path, results: RunResults) -> Path:
    """Write ``results.json`` and return its path."""
    path = folder / "results.json"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, results.model_dump_json(indent=2) + "\n")
    return path


def read_results(path: Path) -> RunResults:
    """Return a run's results.

    Raises:
        ValueError: If the file is missing or not a results file of this version.
    """
    return read_json(RunResults, path)
