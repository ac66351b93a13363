"""The vocabulary: concepts, cells, requests and tasks.

Imports nothing of ours, so that erasers and metrics can use it without the rest of the benchmark.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, cast, get_args

import numpy as np
from jaxtyping import UInt8
from pydantic import AfterValidator, BaseModel, ConfigDict

Kind = Literal["style", "object", "trigger"]
Domain = Literal["style", "object"]


@dataclass(frozen=True, kw_only=True, order=True)
class Concept:
    """A style, an object or a trigger that an eraser can forget.

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
    """One square of the grid: an object in a style."""

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
class CaptionedImages:
    """Images with their texts.

    Attributes:
        pixels: Bytes.
        prompts: The dataset's caption, or what the image was generated from, one an image.
    """

    pixels: UInt8[np.ndarray, "n h w 3"]
    prompts: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PromptPair:
    """A prompt that fires a backdoor, and the same prompt without the trigger."""

    triggered: str
    clean: str


def _with_fields(*expected: str) -> AfterValidator:
    """Return a check that a template has these fields in braces, and no others."""

    def check(template: str) -> str:
        if not all(field in template for field in expected):
            raise ValueError(f"must contain {' and '.join(expected)}")
        if re.search("[{}]", re.sub("|".join(expected), "", template)):
            raise ValueError(f"may have no field but {' and '.join(expected)}")
        return template

    return AfterValidator(check)


ConceptTemplate = Annotated[str, _with_fields("{words}")]
"""Prompt of a concept; ``{words}`` is its bare name."""
PairTemplate = Annotated[str, _with_fields("{words}", "{other}")]
"""Prompt of a concept together with another one, ``{other}``."""


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

    style: ConceptTemplate = "{words} style"
    object: ConceptTemplate = "{words}"
    trigger: ConceptTemplate = "{words}"
    style_context: PairTemplate = "{other} in {words} style"
    object_context: PairTemplate = "{words} in {other} style"


def unreported(**losses: Any) -> None:
    """Ignore the losses of a step."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """The task of an eraser. The protocol fills it, the same for every eraser.

    Attributes:
        targets: Concepts to forget; usually one.
        anchor: What the target may be mapped to; None where the protocol names none.
        retain: Concepts that must survive; never contains a target.
        seed: Seeds every random draw of the eraser.
        pairs: Training prompts with and without the triggers to forget; empty for styles and
            objects.
        clean_unet: The UNet from before the backdoor (``UNet2DConditionModel``), for methods that
            require it; None where it is not available.
        templates: How the protocol names concepts in prompts.
        images: The images that the eraser requests, by the names in ``Eraser.images``.
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
    images: Mapping[str, CaptionedImages] = field(default_factory=dict, compare=False, repr=False)
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
