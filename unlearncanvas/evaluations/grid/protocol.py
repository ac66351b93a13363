"""The grid protocol: prompts, grid, seeds, sampler, detectors, metrics, tiers."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, final, get_args

from pydantic import BeforeValidator, Field, model_validator

from unlearncanvas.canvases.language import Language, load_language
from unlearncanvas.core.digests import digest_json
from unlearncanvas.core.fields import Name, Seed, Seeds
from unlearncanvas.core.method_config import image_sets_of
from unlearncanvas.core.registry import choose, find_config, read_yaml
from unlearncanvas.engine.grid import Grid
from unlearncanvas.engine.protocols import (
    NOT_IN_DIGEST,
    EvaluationProtocol,
    counted,
    read_protocol,
)
from unlearncanvas.evaluations.grid.parts import Anchors, Targets, Tier
from unlearncanvas.evaluations.grid.wordings import (
    MIXED,
    TARGET_SETS,
    Part,
    Wordings,
    mixed_cells,
    worded_seeds,
)
from unlearncanvas.types import Cell, Concept, Domain, Task

NOT_IN_GRID_DIGEST = NOT_IN_DIGEST | {"published", "templates"}
"""Templates are in the digest of an artifact."""
RENAMED_SETTINGS = {"with_plain_style": "with_reference_style"}
"""Settings of metrics of version 0.6, and what they are now."""


def _language(said: object) -> object:
    """The language that a protocol's file names."""
    return load_language(said) if isinstance(said, str) else said


@final
class GridProtocol(EvaluationProtocol, Grid):
    """A grid and its targets, as a YAML file fixes them.

    Attributes:
        targets: What is forgotten, one at a time.
        anchors: What a target is mapped to.
        seeds: Seeds of the images.
        erase_seed: Seed of the erasers.
        retain_stride: Of the cells without the target, every so many-th of each row and column is
            drawn; 1 is all.
        published: Rows in ``configs/published`` that tables show beside the measured ones.
        language: Other names and sentences of the canvas, named in the file; None without any.
        wordings: Part of the language that images are asked for with; no eraser is given any of it.
    """

    kind: Literal["grid"] = "grid"
    tiers: dict[Name, Tier]
    targets: Targets
    anchors: Anchors
    seeds: Seeds = Field(min_length=1)
    erase_seed: Seed
    retain_stride: int = Field(default=1, ge=1, serialization_alias="retain_every")
    published: str | None = None
    language: Annotated[Language | None, BeforeValidator(_language)] = None
    wordings: Part = "held_out"

    @model_validator(mode="after")
    def _consistent(self) -> "GridProtocol":
        for part in (self.targets, *(tier.targets for tier in self.tiers.values())):
            if part is None:
                continue
            for name in part.style:
                choose("style", name, [s for s in self.styles if s != self.reference_style])
            for name in part.object:
                choose("object", name, self.objects)
        for name, tier in self.tiers.items():
            self._check_tier(name, tier)
        if self.retain_stride > min(len(self.styles), len(self.objects)):
            raise ValueError(f"retain_stride {self.retain_stride} leaves concepts without a cell")
        self._check_language()
        choose("style", self.anchors.style, self.styles)
        choose("tier", self.default_tier, self.tiers)
        return self

    def _check_language(self) -> None:
        """Other wordings need a language that has all concepts, and the prompt as a sentence."""
        for name in self.worded_sets():
            choose("image set of other wordings", name, (*TARGET_SETS, MIXED))
        if self.language is None:
            if self.worded_sets():
                raise ValueError(
                    "metrics of other wordings need a language, as in 'language: mini'"
                )
            return
        for style in self.styles:
            choose("style in the language", style, self.language.styles)
        for obj in self.objects:
            choose("object in the language", obj, self.language.objects)
        if self.prompt != self.language.sentences[0]:
            raise ValueError(
                f"prompt must be the first sentence of the language, "
                f"{self.language.sentences[0]!r}, got {self.prompt!r}"
            )

    def _check_tier(self, name: str, tier: Tier) -> None:
        """A tier's part of the grid must be one, and show the tier's targets."""
        for style in tier.styles or ():
            choose("style", style, self.styles)
        for obj in tier.objects or ():
            choose("object", obj, self.objects)
        shown = {*(tier.styles or self.styles), *(tier.objects or self.objects)}
        for target in (tier.targets or self.targets).concepts():
            if target.name not in shown:
                raise ValueError(f"tier {name} forgets {target} and does not draw it")
        if len({*(tier.styles or self.styles)} - {self.reference_style}) < 2:
            raise ValueError(f"tier {name} draws no style that could be retained")

    @property
    def digest(self) -> str:
        """Digest of all that changes a pixel or a score, the metrics' settings included.

        It is over the keys of version 0.6: a renamed key is no other protocol.
        """
        rules = self.model_dump(
            mode="json", exclude=NOT_IN_GRID_DIGEST, exclude_defaults=True, by_alias=True
        )
        recipes = {name: _recipe(name) for name in self.metrics}
        return digest_json({"rules": rules, "metrics": recipes})

    def cells_for(self, target: Concept) -> list[Cell]:
        """Return the cells that are drawn and scored for a target: its own, and what is retained.

        For a trigger, which has no place in the grid, that is the whole grid.
        """
        if self.retain_stride == 1 or target.kind == "trigger":
            return self.cells()
        return [
            Cell(style=style, object=obj)
            for row, style in enumerate(self.styles)
            for column, obj in enumerate(self.objects)
            if target.name == (style if target.kind == "style" else obj)
            or (row + column) % self.retain_stride == 0
        ]

    def worded_sets(self) -> list[str]:
        """Return the image sets of other wordings that the metrics read."""
        return list(
            dict.fromkeys(name for metric in self.metrics for name in image_sets_of(metric))
        )

    def worded_prompts(self, target: Concept) -> dict[str, dict[Cell, str]]:
        """Return the prompts of each image set of other wordings, for a target."""
        if self.language is None:
            return {}
        wordings = Wordings(self.language, self.wordings)
        own = [cell for cell in self.cells() if target.name in (cell.style, cell.object)]
        mixed = mixed_cells(self.styles, self.objects)
        return {
            name: wordings.mixed(mixed) if name == MIXED else wordings.of_target(name, target, own)
            for name in self.worded_sets()
        }

    def for_tier(self, tier: str) -> "GridProtocol":
        """Return the protocol with a tier's part of the grid; it draws and scores less."""
        chosen = self.tiers[choose("tier", tier, self.tiers)]
        part = {"styles": chosen.styles, "objects": chosen.objects}
        return self.model_copy(update={key: names for key, names in part.items() if names})

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
        kind, colon, name = text.rpartition(":")
        if colon:
            choose("kind of target", kind.strip(), get_args(Domain))
        known = {
            concept.name: concept
            for concept in self.targets.concepts()
            if not colon or concept.kind == kind.strip()
        }
        name = name.replace("_", " ").strip()
        spelt = {item.casefold(): item for item in known}.get(name.casefold(), name)
        return known[choose("target", spelt, known)]

    def task(self, target: Concept, *, seed: int) -> Task:
        """Return an eraser's task: target, anchor, and every other concept to retain."""
        if target.kind == "style":
            anchor = Concept(kind="style", name=self.anchors.style)
        else:
            place = self.objects.index(target.name)
            anchor = Concept(kind="object", name=self.objects[(place + 1) % len(self.objects)])
        retain = tuple(concept for concept in self.concepts() if concept != target)
        return Task(
            targets=(target,), anchor=anchor, retain=retain, seed=seed, templates=self.templates
        )

    def num_images(self, targets: Sequence[Concept], seeds: Sequence[int]) -> int:
        """Return the images of one eraser, without those of ``none`` and ``noise``."""
        worded = len(worded_seeds(seeds))
        return sum(
            len(seeds) * len(self.cells_for(target))
            + worded * sum(map(len, self.worded_prompts(target).values()))
            for target in targets
        )

    def amount(self, tier: str) -> str:
        """Return targets, seeds and images of a tier."""
        targets, seeds = self.tier_targets(tier), self.tier_seeds(tier)
        images = self.for_tier(tier).num_images(targets, seeds)
        parts = [counted(len(targets), "target"), counted(len(seeds), "seed")]
        return ", ".join([*parts, f"{images:,} images"])

    def entries(self) -> list[tuple[str, list[str]]]:
        """Return the targets, each with its anchor and the tiers that have it."""
        found = []
        for target in self.targets.concepts():
            tiers = [tier for tier in self.tiers if target in self.tier_targets(tier)]
            anchor = self.task(target, seed=0).anchor
            towards = f", becomes {anchor.name}" if anchor else ""
            found.append((target.name, [f"{target.kind}{towards} · {', '.join(tiers)}"]))
        return found


def _recipe(metric: str) -> dict[str, Any]:
    """Class and settings of a metric, from its file, under the keys of version 0.6."""
    said = read_yaml(find_config("metrics", metric))
    old = {new: old for old, new in RENAMED_SETTINGS.items()}
    return {old.get(key, key): value for key, value in said.items() if key != "about"}


def load_protocol(name: str) -> GridProtocol:
    """Return a protocol by name or YAML path.

    Raises:
        ValueError: If it is unknown or breaks a rule, in one line.
    """
    return read_protocol(GridProtocol, name)
