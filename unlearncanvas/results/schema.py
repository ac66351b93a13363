"""The results of every evaluation: one schema, validated, versioned, written atomically."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from metrics.base import Score
from unlearncanvas.core.files import write_text
from unlearncanvas.pipelines.cost import Cost

if TYPE_CHECKING:
    from pandas import DataFrame
    from PIL.Image import Image

FILE = "results.json"
ELSEWHERE = "images"
"""Tier of results of images that were made elsewhere: of the grid alone."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(_Frozen):
    """What one model scored on one group.

    Attributes:
        label: Name in tables: the method, with the erasing seed where there are several.
        role: ``baseline``, or ``tested``.
        group: What it was measured on, ``{"target": "style:Cubism"}``.
        eraser: Name of the method of the last step; empty for the base model.
        settings: Its settings.
        erase_seed: Its seed; None for the base model.
        num_images: Images that were drawn with it.
        scores: By name.
        details: Scores that no table shows, by name.
        cost: Of the last step; None for the base model, and where someone else erased.
        seconds_per_image: While drawing; None where someone else drew.
        ufe_per_image: UNet forward equivalents while drawing; None likewise.
        artifact_digest: Key of the artifact; empty for the base model.
        artifact: Folder of the artifact, relative to the file; None where there is none.
        chunks: Files of its images' rows, relative to the file; none where someone else drew.
    """

    label: str
    role: Literal["baseline", "tested"]
    group: dict[str, str]
    eraser: str
    settings: dict[str, Any]
    erase_seed: int | None
    num_images: int
    scores: dict[str, Score]
    details: dict[str, Score] = {}
    cost: Cost | None
    seconds_per_image: float | None
    ufe_per_image: float | None = None
    artifact_digest: str
    artifact: str | None = None
    chunks: tuple[str, ...] = ()


class MeanRow(_Frozen):
    """The mean of one label's rows over targets of one kind.

    Attributes:
        label: As in the rows.
        kind: Which targets it is the mean over.
        targets: Those targets.
        scores: Means, with what their intervals are over.
        ufe: Mean work of an erasure; of images generated for it, ``gallery_ufe``.
        erase_seconds: Mean time of an erasure.
        stored_bytes: Mean size of an artifact.
        peak_memory_bytes: The largest.
        seconds_per_image: Mean time while drawing.
        ufe_per_image: Mean work while drawing, that of hooks included.

    Costs are None where someone else erased and drew.
    """

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


class Comparison(_Frozen):
    """A score of two rows of one group on the same images.

    Attributes:
        group: Of both rows.
        score: Name of the score.
        first: Label of one row.
        second: Label of the other.
        difference: Score of the first minus that of the second, in the score's unit.
        low: Lower end of its 95 % interval.
        high: Upper end.
        p_value: Of a t test over cells, not corrected for the number of comparisons.
        unit: Unit of the score; a difference of percentages is in points.
    """

    group: dict[str, str]
    score: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float
    unit: str = "%"


class Picture(_Frozen):
    """A figure that a run wrote.

    Attributes:
        path: The file, relative to the results.
        name: What it shows, ``sheet``.
        label: Row that it shows; None if it shows several.
        group: Group that it shows; empty if it shows several.
    """

    path: str
    name: str
    label: str | None = None
    group: dict[str, str] = {}


class Results(_Frozen):
    """One run of one evaluation; the content of ``results.json``.

    Attributes:
        evaluation: Kind of the evaluation.
        subset: Whether targets, seeds or images of the whole evaluation were left out.
        rows: In the order they ran.
        means: Over targets, where the evaluation has any.
        comparisons: Of every two tested rows of a group.
        real_vs_real: Metrics of real images against other real images.
        pictures: Figures beside the file.
        notes: What else an evaluation says of a group, by the group as text.
        published: Rows in ``configs/published`` that tables show beside the measured ones.
        folder: Where the file lies; not written.
        config: Options that make these numbers again, as :class:`RunConfig` has them; None where
            the images were generated elsewhere.
    """

    schema_version: Literal[2] = 2
    evaluation: str
    protocol: str
    protocol_digest: str
    tier: str
    subset: bool
    seeds: tuple[int, ...]
    model: str
    base_digest: str
    rows: tuple[Row, ...]
    means: tuple[MeanRow, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    real_vs_real: dict[str, Score] = {}
    pictures: tuple[Picture, ...] = ()
    notes: dict[str, dict[str, Any]] = Field(default_factory=dict)
    environment: dict[str, str]
    published: str | None = None
    config: dict[str, Any] | None = None
    folder: Path | None = Field(default=None, exclude=True)

    def to_pandas(self) -> "DataFrame":
        """Return a line for every row: label, role, group, and each score with its interval."""
        from pandas import DataFrame

        return DataFrame([_flat(row) for row in self.rows])

    def figures(self) -> "dict[str, Image]":
        """Return the pictures that the run wrote, by what they show.

        Raises:
            FileNotFoundError: If the run's folder was moved since.
        """
        from PIL import Image

        folder, found = Path() if self.folder is None else self.folder, {}
        for item in self.pictures:
            with Image.open(folder / item.path) as picture:
                name = " ".join(filter(None, [item.name, item.label, *item.group.values()]))
                found[name] = picture.copy()
        return found


def _flat(row: Row) -> dict[str, Any]:
    """A row as the line of a table."""
    scores: dict[str, float | None] = {}
    for name, score in row.scores.items():
        scores |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
    costs = {} if row.cost is None else {"ufe": row.cost.ufe, "erase_seconds": row.cost.seconds}
    return {"label": row.label, "role": row.role, **row.group, **scores, **costs}


def group_text(group: dict[str, str]) -> str:
    """Return a group as text, ``target style:Cubism``."""
    return ", ".join(f"{key} {value}" for key, value in group.items())


def group_name(group: Mapping[str, str]) -> str:
    """Return what a group was measured on, ``style:Cubism``."""
    return ", ".join(group.values())


def write_results(folder: Path, results: Results) -> Path:
    """Write ``results.json`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    write_text(path, results.model_dump_json(indent=2) + "\n")
    return path
