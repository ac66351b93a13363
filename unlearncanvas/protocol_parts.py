"""The parts of a protocol, as its YAML file spells them."""

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from unlearncanvas.types import Concept

MAX_SEED = 2**63 - 1
"""torch's generators take up to 2^64 - 1, the integers of Parquet end here."""
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
DType = Literal["float32", "bfloat16", "float16"]
T = TypeVar("T")


def as_file_name(name: str) -> str:
    """Return a name that can be a folder's: no separators, no leading dot, no line breaks.

    Raises:
        ValueError: If it cannot.
    """
    if not re.fullmatch(r"\w([\w .,'&()+-]*[\w)'+])?", name):
        raise ValueError(
            f"a name holds letters, digits, spaces and _ . , ' & ( ) + - only, got {name!r}"
        )
    return name


def _different(items: tuple[T, ...]) -> tuple[T, ...]:
    for place, item in enumerate(items):
        if item in items[:place]:
            raise ValueError(f"{item!r} is there twice")
    return items


Name = Annotated[str, AfterValidator(as_file_name)]
Names = Annotated[tuple[Name, ...], AfterValidator(_different)]
Seeds = Annotated[tuple[Seed, ...], AfterValidator(_different)]


class Frozen(BaseModel):
    """Rules that cannot change, with no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def plain(self) -> dict[str, Any]:
        """Return what is not at its default as plain data, for digests: a new key changes none."""
        return self.model_dump(mode="json", exclude_defaults=True)


Optimization = Literal["channels-last", "compile"]


class Sampler(Frozen):
    """How every image is drawn.

    Attributes:
        scheduler: Name of a diffusers scheduler class, built from the pipeline's own config.
        num_inference_steps: Steps.
        guidance_scale: Classifier-free guidance; 1 is none.
        height: Pixels.
        width: Pixels.
        noise: ``cell``: the generator of an image is seeded by a hash of (seed, style, object);
            ``image``: by the seed alone, so that all cells start from the same noise; ``run``: one
            generator a seed, whose noise runs on through the grid.
        dtype: Precision of the pipeline while it draws.
        batch_size: Images drawn together; equal digits are promised at equal batch size.
        negative_prompt: Stands for the empty prompt.
        optimizations: What makes drawing faster and changes rounding; see ``tuning.tuned``.
    """

    scheduler: str
    num_inference_steps: int = Field(ge=1, le=1000)
    guidance_scale: float = Field(ge=1, allow_inf_nan=False)
    height: int = Field(ge=8, multiple_of=8)
    width: int = Field(ge=8, multiple_of=8)
    noise: Literal["cell", "image", "run"]
    dtype: DType
    batch_size: int = Field(ge=1)
    negative_prompt: str = ""
    optimizations: tuple[Optimization, ...] = ()


class DetectorFile(Frozen):
    """A detector of the mini canvas: its name and the sha256 of its weights."""

    name: str
    sha256: str


class PaintedDetectors(Frozen):
    """The two detectors of the mini canvas, and the base models they were made for.

    Attributes:
        style: Style detector.
        object: Object detector.
        base_digests: Digests of the base models that they can judge.
    """

    style: DetectorFile
    object: DetectorFile
    base_digests: tuple[str, ...] = Field(min_length=1)


class LabelledFile(Frozen):
    """A classifier's weights, and what its outputs mean.

    Attributes:
        file: Name of the file, ``.pth`` or ``.safetensors``.
        labels: Names in the order of the outputs.
    """

    file: str
    labels: tuple[str, ...] = Field(min_length=2)


class ViTDetectors(Frozen):
    """The two classifiers of UnlearnCanvas. Digests of its base models were never published.

    Attributes:
        architecture: Model name in timm.
        image_size: Pixels that every image is squashed to.
        source: Where the files are, unless the user says: ``owner/name/folder`` on the Hub.
        style: Style classifier.
        object: Object classifier.
        base_accuracy: Percent of the base model's images that each must recognise; a model that it
            was not made for stays below.
    """

    architecture: str
    image_size: int = Field(ge=16)
    source: str
    style: LabelledFile
    object: LabelledFile
    base_accuracy: float = Field(ge=0, le=100)


Detectors = PaintedDetectors | ViTDetectors


class Targets(Frozen):
    """Names by kind."""

    style: Names = ()
    object: Names = ()

    def concepts(self) -> list[Concept]:
        """Return them as concepts, styles first."""
        return [Concept(kind="style", name=name) for name in self.style] + [
            Concept(kind="object", name=name) for name in self.object
        ]


class Anchors(Frozen):
    """What a target is mapped to: a style by name, the ``next`` object of the list."""

    style: str
    object: Literal["next"]


class PaintedSplit(Frozen):
    """Real images: a split of the painter, never trained on."""

    split: str


class DatasetImages(Frozen):
    """Real images: some of each cell's in the UnlearnCanvas dataset, 1 to 20, in this order."""

    indices: tuple[int, ...] = Field(min_length=1)


RealPart = PaintedSplit | DatasetImages


class Variant(Frozen):
    """How one eraser's images are drawn where that differs, in protocols that keep old differences.

    Attributes:
        prompt: Instead of the protocol's.
        sampler: Settings of the sampler that differ.
    """

    prompt: str | None = None
    sampler: dict[str, str | int | float] = Field(default_factory=dict)


class Tier(Frozen):
    """A part of the exam.

    Attributes:
        targets: Targets; None is all.
        num_seeds: The first seeds of the list; None is all.
        styles: Styles of the grid; None is all.
        objects: Objects of the grid; None is all.
    """

    targets: Targets | None = None
    num_seeds: int | None = Field(default=None, ge=1)
    styles: Names | None = Field(default=None, min_length=2)
    objects: Names | None = Field(default=None, min_length=2)
