"""Backdoor results of schema 1: validated, versioned, written atomically."""

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from metrics.base import Score
from unlearncanvas.core.files import write_text
from unlearncanvas.core.json_file import read_json
from unlearncanvas.pipelines.cost import Cost
from unlearncanvas.results.run_config import RunConfig
from unlearncanvas.results.schema import Asked

FILE = "results.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RemovalRow(_Frozen):
    """One model of one attack.

    Attributes:
        label: ``clean model``, ``poisoned``, or the eraser.
        settings: Of the eraser.
        artifact_digest: Artifact of the model; empty for the clean model.
        scores: By name.
        cost: Of the erasure; of the injection for ``poisoned``; None for the clean model.
        ufe_per_image: Work while drawing; None in files from before it was counted.
    """

    label: str
    settings: dict[str, object]
    artifact_digest: str = Field(
        validation_alias=AliasChoices("artifact_digest", "artefact_digest")
    )
    scores: dict[str, Score]
    cost: Cost | None
    ufe_per_image: float | None = None


class Comparison(_Frozen):
    """Attack success of two erasers on the same images.

    Attributes:
        first: Eraser.
        second: Eraser.
        difference: Success of the first minus that of the second, in points.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p_value: Of a t test over cells, not corrected for the number of comparisons.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float


class AttackResults(_Frozen):
    """All rows of one attack.

    Attributes:
        attack: Name.
        settings: Of the attack.
        poisoned_digest: Digest of the poisoned model's tensors.
        reach: The part of the pipeline that holds the backdoor.
        judge: How an image is judged.
        gate_passed: Whether the poisoned model counts: its triggers work, its clean grid is whole.
        num_triggered: Images with a trigger, of each row.
        rows: The clean model, the poisoned one, the erasers.
        comparisons: Every two erasers.
    """

    attack: str
    settings: dict[str, object]
    poisoned_digest: str
    reach: str
    judge: str
    gate_passed: bool
    num_triggered: int
    rows: tuple[RemovalRow, ...]
    comparisons: tuple[Comparison, ...]


class BackdoorResults(_Frozen):
    """The results of one run; the content of ``results.json``.

    Attributes:
        config: Options that make these numbers again; None in older files.
        asked: Some of the options, in older files.
    """

    schema_version: Literal[1] = 1
    protocol: str
    protocol_digest: str
    tier: str
    limited: bool
    known: float
    knowledge: str
    model: str
    base_digest: str
    attacks: tuple[AttackResults, ...]
    environment: dict[str, str]
    config: RunConfig | None = None
    asked: Asked | None = None


def write_backdoor_results(folder: Path, results: BackdoorResults) -> Path:
    """Write ``results.json`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    write_text(path, results.model_dump_json(indent=2) + "\n")
    return path


def read_backdoor_results(path: Path) -> BackdoorResults:
    """Return a run's results.

    Raises:
        ValueError: If the file is missing or not a results file of this kind and version.
    """
    return read_json(BackdoorResults, path)
