"""The fixed rules of an exam: prompts, grid, seeds, sampler, detectors, metrics, tiers."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unlearncanvas.config import CONFIG_DIR, choose, find_config, one_line, read_yaml
from unlearncanvas.digest import digest_json
from unlearncanvas.types import Cell, Concept, Task

NOT_IN_DIGEST = {"name", "title", "tiers", "default_tier"}
"""What changes neither a pixel nor a score."""


class Frozen(BaseModel):
    """Rules that cannot change, with no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


P = TypeVar("P", bound=Frozen)


class Sampler(Frozen):
    """How every image is drawn.

    Attributes:
        scheduler: Name of a diffusers scheduler class, built from the pipeline's own config.
        num_inference_steps: Steps.
        guidance_scale: Classifier-free guidance; 1 is none.
        height: Pixels.
        width: Pixels.
        noise: ``cell``: the generator of an image is seeded by a hash of (seed, style, object).
        dtype: Precision of the pipeline while it draws.
        batch_size: Images drawn together; equal digits are promised at equal batch size.
    """

    scheduler: str
    num_inference_steps: int = Field(ge=1, le=1000)
    guidance_scale: float = Field(ge=1)
    height: int = Field(ge=8, multiple_of=8)
    width: int = Field(ge=8, multiple_of=8)
    noise: Literal["cell"]
    dtype: Literal["float32", "bfloat16", "float16"]
    batch_size: int = Field(ge=1)


class DetectorFile(Frozen):
    """A detector of the mini canvas: its name and the sha256 of its weights."""

    name: str
    sha256: str


class Detectors(Frozen):
    """The two detectors, and the base models they were made for.

    Attributes:
        style: Style detector.
        object: Object detector.
        base_digests: Digests of the base models that they can judge.
    """

    style: DetectorFile
    object: DetectorFile
    base_digests: tuple[str, ...] = Field(min_length=1)


class Targets(Frozen):
    """Names by kind."""

    style: tuple[str, ...] = ()
    object: tuple[str, ...] = ()

    def concepts(self) -> list[Concept]:
        """Return them as concepts, styles first."""
        return [Concept(kind="style", name=name) for name in self.style] + [
            Concept(kind="object", name=name) for name in self.object
        ]


class Anchors(Frozen):
    """What a target is mapped to: a style by name, the ``next`` object of the list."""

    style: str
    object: Literal["next"]


class RealSplit(Frozen):
    """Real images: a split of the painter, never trained on."""

    split: str


class Tier(Frozen):
    """A part of the exam.

    Attributes:
        targets: Targets; None is all.
        num_seeds: The first seeds of the list; None is all.
    """

    targets: Targets | None = None
    num_seeds: int | None = Field(default=None, ge=1)


class Protocol(Frozen):
    """An exam, as its YAML file fixes it."""

    name: str
    title: str
    model: str
    preset: str
    prompt: str
    plain_style: str
    styles: tuple[str, ...] = Field(min_length=2)
    objects: tuple[str, ...] = Field(min_length=2)
    targets: Targets
    anchors: Anchors
    seeds: tuple[int, ...] = Field(min_length=1)
    erase_seed: int
    erase_dtype: Literal["float32", "bfloat16", "float16"]
    sampler: Sampler
    detectors: Detectors
    reference: RealSplit
    gallery: RealSplit
    metrics: tuple[str, ...]
    default_tier: str
    tiers: dict[str, Tier]

    @model_validator(mode="after")
    def _consistent(self) -> "Protocol":
        for part in (self.targets, *(tier.targets for tier in self.tiers.values())):
            if part is None:
                continue
            for name in part.style:
                choose("style", name, [s for s in self.styles if s != self.plain_style])
            for name in part.object:
                choose("object", name, self.objects)
        choose("style", self.plain_style, self.styles)
        choose("style", self.anchors.style, self.styles)
        choose("tier", self.default_tier, self.tiers)
        return self

    @cached_property
    def digest(self) -> str:
        """Digest of all that changes a pixel or a score, the metrics' settings included."""
        rules = self.model_dump(mode="json", exclude=NOT_IN_DIGEST)
        recipes = {
            name: read_yaml(CONFIG_DIR / "metrics" / f"{name}.yaml") for name in self.metrics
        }
        return digest_json({"rules": rules, "metrics": recipes})

    def cells(self) -> list[Cell]:
        """Return the grid, style by style."""
        return [Cell(style=style, object=obj) for style in self.styles for obj in self.objects]

    def ask(self, cell: Cell) -> str:
        """Return the prompt for a cell."""
        return self.prompt.format(
            style=cell.style.replace("_", " "),
            object=cell.object.replace("_", " "),
            article="An" if cell.object[0] in "AEIOU" else "A",
        )

    def tier_targets(self, tier: str) -> list[Concept]:
        """Return the targets of a tier."""
        return (self.tiers[choose("tier", tier, self.tiers)].targets or self.targets).concepts()

    def tier_seeds(self, tier: str) -> tuple[int, ...]:
        """Return the seeds of a tier."""
        return self.seeds[: self.tiers[choose("tier", tier, self.tiers)].num_seeds]

    def find_target(self, text: str) -> Concept:
        """Return the target meant by ``"Pop Art"`` or ``"style:Pop Art"``.

        Raises:
            ValueError: If there is none; the nearest names are in the message.
        """
        known = {concept.name: concept for concept in self.targets.concepts()}
        name = text.rpartition(":")[2].replace("_", " ").strip()
        spelt = {item.casefold(): item for item in known}.get(name.casefold(), name)
        return known[choose("target", spelt, known)]

    def task(self, target: Concept, *, seed: int) -> Task:
        """Return what an eraser is told: target, anchor, and every other concept to retain."""
        if target.kind == "style":
            anchor = Concept(kind="style", name=self.anchors.style)
        else:
            place = self.objects.index(target.name)
            anchor = Concept(kind="object", name=self.objects[(place + 1) % len(self.objects)])
        everything = Targets(style=self.styles, object=self.objects).concepts()
        retain = tuple(concept for concept in everything if concept != target)
        return Task(targets=(target,), anchor=anchor, retain=retain, seed=seed)

    def num_images(self, targets: Sequence[Concept], seeds: Sequence[int]) -> int:
        """Return the images of one eraser, without those of ``none`` and ``noise``."""
        return len(targets) * len(seeds) * len(self.styles) * len(self.objects)


def cell_seed(seed: int, cell: Cell) -> int:
    """Return the generator seed of one image, so that cells are independent draws."""
    text = f"{seed}|{cell.style}|{cell.object}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:7], "big")


def load_protocol(name: str) -> Protocol:
    """Return a protocol by name or YAML path.

    Raises:
        ValueError: If it is unknown or breaks a rule, in one line.
    """
    return read_protocol(Protocol, name)


def read_protocol(kind: type[P], name: str) -> P:
    """Return a protocol of a kind by name or YAML path.

    Raises:
        ValueError: If it is unknown or breaks a rule, in one line.
    """
    path = find_config("protocols", name)
    try:
        return kind.model_validate(read_yaml(path))
    except ValidationError as exc:
        raise ValueError(f"protocol {path.stem}: {one_line(exc)}") from exc
