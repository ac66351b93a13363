"""The vocabulary: concepts, cells, tasks, answers, scores and results.

Imports nothing of ours, so that erasers and metrics can use it without the rest of the benchmark.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["style", "object", "trigger"]
Domain = Literal["style", "object"]


@dataclass(frozen=True, kw_only=True, order=True)
class Concept:
    """Something a model can draw and be asked to forget.

    Attributes:
        kind: What sort of concept it is.
        name: As the protocol spells it; underscores stand for spaces.
    """

    kind: Kind
    name: str

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a concept needs a name, got an empty one")

    @property
    def words(self) -> str:
        """The bare name as text, ``"Pop Art"``."""
        return self.name.replace("_", " ")

    @property
    def slug(self) -> str:
        """As part of a file's name, ``"style-Pop_Art"``."""
        return f"{self.kind}-{self.name.replace(' ', '_')}"

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Concept":
        """Return the concept that ``str`` made the text of."""
        kind, _, name = text.partition(":")
        if kind not in get_args(Kind):
            raise ValueError(f"a concept is written kind:name, got {text!r}")
        return cls(kind=cast(Kind, kind), name=name)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One square of the grid: an object asked for in a style."""

    style: str
    object: str

    def name(self, domain: Domain) -> str:
        """Return the style's or the object's name."""
        return self.style if domain == "style" else self.object


@dataclass(frozen=True, kw_only=True)
class RealImages:
    """A request for images of the dataset.

    Attributes:
        showing: From the cells that show any of these concepts.
        without: And none of these.
        per_cell: Images a cell.
    """

    showing: tuple[Concept, ...]
    without: tuple[Concept, ...] = ()
    per_cell: int


@dataclass(frozen=True, kw_only=True)
class GeneratedImages:
    """A request for images that the base model draws, one for each prompt.

    Attributes:
        prompts: Prompts; repeated ones get different noise.
        num_inference_steps: Steps of the protocol's sampler.
        guidance_scale: Classifier-free guidance; 1 is none.
    """

    prompts: tuple[str, ...]
    num_inference_steps: int
    guidance_scale: float


ImageRequest = RealImages | GeneratedImages


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Images with their texts.

    Attributes:
        pixels: Bytes.
        prompts: The dataset's caption, or what the image was generated from, one an image.
    """

    pixels: UInt8[np.ndarray, "n h w 3"]
    prompts: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PromptPair:
    """What a defender knows of a backdoor: a prompt that fires it, and the same prompt without."""

    triggered: str
    clean: str


class Templates(BaseModel):
    """How a protocol names a concept in a prompt; ``{words}`` is the concept's bare name.

    Attributes:
        style: For a style alone.
        object: For an object alone.
        trigger: For a backdoor's trigger.
        style_context: For a style with an object, whose name is ``{other}``.
        object_context: For an object with a style, likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: str = "{words} style"
    object: str = "{words}"
    trigger: str = "{words}"
    style_context: str = "{other} in {words} style"
    object_context: str = "{words} in {other} style"

    @model_validator(mode="after")
    def _with_places(self) -> "Templates":
        for name, template in self:
            require_places(name, template)
        return self


def require_places(name: str, template: str) -> None:
    """Raise ValueError unless a template holds ``{words}``, a context ``{other}``, and no more."""
    places = ("{words}", "{other}") if name.endswith("_context") else ("{words}",)
    if not all(place in template for place in places):
        raise ValueError(f"{name} must contain {' and '.join(places)}, got {template!r}")
    if re.search("[{}]", re.sub("|".join(places), "", template)):
        raise ValueError(f"{name} may have no field but {' and '.join(places)}, got {template!r}")


def unreported(**losses: Any) -> None:
    """Take the losses of a step and drop them."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What an eraser is asked to do. The protocol fills it, the same for every eraser.

    Attributes:
        targets: Concepts to forget; usually one.
        anchor: What the target may be mapped to; None where the protocol names none.
        retain: Concepts that must survive; never contains a target.
        seed: Seeds every random draw of the eraser.
        pairs: Training prompts with and without the triggers to forget; empty for styles and
            objects.
        clean_unet: The UNet from before the backdoor (``UNet2DConditionModel``), for methods that
            cannot do without; None where nobody has it.
        templates: How the protocol names concepts in prompts.
        images: What the eraser asked for in ``images``, by its names.
        report: Takes the losses of one step by name, ``task.report(loss=loss)``, for the curves of
            a tracker. Every call is a step; an eraser that never calls it has no curve.
    """

    targets: tuple[Concept, ...]
    anchor: Concept | None = None
    retain: tuple[Concept, ...] = ()
    seed: int = 0
    pairs: tuple[PromptPair, ...] = ()
    clean_unet: Any = field(default=None, compare=False, repr=False)
    templates: Templates = field(default_factory=Templates)
    images: Mapping[str, Gallery] = field(default_factory=dict, compare=False, repr=False)
    report: Callable[..., None] = field(default=unreported, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.targets:
            raise ValueError("a task needs at least one target, got none")
        both = [str(target) for target in self.targets if target in self.retain]
        if both:
            raise ValueError(f"cannot forget and retain the same concept: {', '.join(both)}")
        if self.anchor in self.targets:
            raise ValueError(f"a target cannot be its own anchor: {self.anchor}")

    def prompt(self, concept: Concept) -> str:
        """Return the protocol's prompt for a concept alone."""
        template: str = getattr(self.templates, concept.kind)
        return template.replace("{words}", concept.words)

    @property
    def target(self) -> Concept:
        """The only target.

        Raises:
            ValueError: If the task has several.
        """
        if len(self.targets) != 1:
            raise ValueError(f"this eraser takes one target, the task has {len(self.targets)}")
        return self.targets[0]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was asked for and what the detectors saw, one entry an image.

    Attributes:
        cells: What each image was asked to show.
        seeds: The protocol's seed of each image.
        style_pred: Style detector's answer.
        object_pred: Object detector's answer.
        features: Features by extractor, float64 [n, feature] each; those that the metrics need.
    """

    cells: Sequence[Cell]
    seeds: Sequence[int]
    style_pred: Sequence[str]
    object_pred: Sequence[str]
    features: Mapping[str, Float[np.ndarray, "n _"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.cells), len(self.seeds), len(self.style_pred), len(self.object_pred)}
        lengths |= {len(rows) for rows in self.features.values()}
        if len(lengths) != 1:
            raise ValueError(f"answers must have one entry an image, got lengths {sorted(lengths)}")

    def asked(self, domain: Domain) -> np.ndarray:
        """Names asked for, [n]."""
        return np.array([cell.name(domain) for cell in self.cells])

    def seen(self, domain: Domain) -> np.ndarray:
        """Names detected, [n]."""
        return np.array(self.style_pred if domain == "style" else self.object_pred)

    def select(self, mask: np.ndarray) -> "Answers":
        """Return the images where ``mask`` [n] is True."""
        return self.take(np.flatnonzero(mask).tolist())

    def take(self, rows: Sequence[int]) -> "Answers":
        """Return the images of some rows, in their order."""
        return Answers(
            cells=[self.cells[row] for row in rows],
            seeds=[self.seeds[row] for row in rows],
            style_pred=[self.style_pred[row] for row in rows],
            object_pred=[self.object_pred[row] for row in rows],
            features={name: values[list(rows)] for name, values in self.features.items()},
        )


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a metric is asked: the answers of one erased model, and the rules to read them by.

    Attributes:
        answers: All images of the grid.
        target: The forgotten concept.
        plain_style: The style that stands for no style; never a target, excluded from IRA.
        reference: Features of real images and the cells they show; None where no metric needs them.
    """

    answers: Answers
    target: Concept
    plain_style: str
    reference: "Reference | None" = field(default=None)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Features of real images by extractor, the same ones as the answers'."""

    cells: Sequence[Cell]
    features: Mapping[str, Float[np.ndarray, "n _"]]

    def only(self, cells: Collection[Cell]) -> "Reference":
        """Return the images of some cells."""
        rows = [row for row, cell in enumerate(self.cells) if cell in cells]
        return Reference(
            cells=[self.cells[row] for row in rows],
            features={name: values[rows] for name, values in self.features.items()},
        )


class Score(BaseModel):
    """One number with its interval.

    Attributes:
        value: The estimate.
        n: Images (or targets, for a mean over targets) behind it.
        low: Lower end of the 95 % interval; None where none can be given honestly.
        high: Upper end of the 95 % interval; None likewise.
        unit: ``"%"`` or the metric's own unit.
        higher_is_better: Direction.
        over: Of a mean over targets, what its interval is over: new ``targets`` of this kind, or
            the ``cells`` of these targets alone, which other targets may well leave. None for one
            target, whose interval is over cells, and in files of versions before 0.6.
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
            raise ValueError("an interval needs both ends or none")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"interval must have low <= high, got [{self.low}, {self.high}]")
        return self


class Cost(BaseModel):
    """What one erasure cost.

    Attributes:
        seconds: Wall time of ``erase``; depends on the machine.
        peak_memory_bytes: Peak memory while erasing; None where it cannot be measured.
        stored_bytes: Size of the artefact's tensors.
        ufe: UNet forward equivalents, per sample: forward 1, backward 2, recomputation 1.
        gallery_ufe: Of the images generated for the eraser, whether or not a cache served them.
        text_forwards: Prompts sent through the text encoder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(ge=0)
    peak_memory_bytes: int | None
    stored_bytes: int = Field(ge=0)
    ufe: int = Field(ge=0)
    gallery_ufe: int = Field(default=0, ge=0)
    text_forwards: int = Field(ge=0)


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
