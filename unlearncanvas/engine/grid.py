"""A grid: what every evaluation needs to draw images of one canvas and to look at them."""

from typing import TypeVar

from pydantic import Field, model_validator

from unlearncanvas.canvases.detectors import OWN
from unlearncanvas.canvases.spec import DetectorSpec, RealImagesSpec
from unlearncanvas.canvases.unlearncanvas.names import theme
from unlearncanvas.core.fields import Frozen, Name, Names
from unlearncanvas.core.method_config import load_metric
from unlearncanvas.core.registry import choose, names
from unlearncanvas.pipelines.sampler import DType, Sampler
from unlearncanvas.types import Cell, Concept, Templates

VARIED = ("scheduler", "num_inference_steps", "guidance_scale", "noise", "negative_prompt")
"""What may differ between the erasers of a protocol; size and precision are the pipeline's."""
G = TypeVar("G", bound="Grid")  # beartype takes no Self in a method


class Variant(Frozen):
    """How one eraser's images are drawn where that differs, in protocols that keep old differences.

    Attributes:
        prompt: Instead of the grid's.
        sampler: Settings of the sampler that differ.
    """

    prompt: str | None = None
    sampler: dict[str, str | int | float] = Field(default_factory=dict)


class Grid(Frozen):
    """Styles x objects of one canvas, and how they are drawn and looked at.

    Attributes:
        name: Of the protocol that it belongs to.
        model: Base model.
        preset: Preset of the erasers' settings.
        prompt: Of a cell. It may name ``{style}``, ``{object}`` and ``{article}``, and as the files
            of UnlearnCanvas spell them ``{theme}`` (Van_Gogh, Seed_Images) and ``{theme_words}``
            (Van Gogh, Seed Images).
        reference_style: The style that stands for no style.
        styles: Rows of the grid.
        objects: Columns of the grid.
        templates: How erasers are to name a concept in a prompt, unless they have their own way.
        erase_dtype: Autocast precision while an eraser works; weights stay float32.
        sampler: How images are drawn.
        detectors: What looks at them.
        reference: Real images that metrics compare with.
        gallery: Real images that erasers may ask for.
        metrics: Metrics of the grid.
        variants: Erasers that are drawn in another way.
    """

    name: Name
    model: str
    preset: str
    prompt: str
    reference_style: str = Field(serialization_alias="plain_style")
    styles: Names = Field(min_length=2)
    objects: Names = Field(min_length=2)
    templates: Templates
    erase_dtype: DType
    sampler: Sampler
    detectors: DetectorSpec
    reference: RealImagesSpec
    gallery: RealImagesSpec
    metrics: Names
    variants: dict[str, Variant] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_a_grid(self) -> "Grid":
        for name in ("", *self.variants):
            self.for_eraser(name).check_prompt()
        for name in self.metrics:
            choose("metric", name, names("metrics"))
        both = set(self.styles) & set(self.objects)
        if both:
            raise ValueError(f"a name is a style or an object, {min(both)!r} is both")
        choose("style", self.reference_style, self.styles)
        return self

    def cells(self) -> list[Cell]:
        """Return the grid, style by style."""
        return [Cell(style=style, object=obj) for style in self.styles for obj in self.objects]

    def concepts(self) -> list[Concept]:
        """Return every concept of the grid, styles first."""
        styles = [Concept(kind="style", name=name) for name in self.styles]
        return styles + [Concept(kind="object", name=name) for name in self.objects]

    def extractors(self) -> list[str]:
        """Return the extractors that the metrics ask for beside the detectors' own features."""
        return sorted({load_metric(name).extractor for name in self.metrics} - {None, OWN})

    def base_metrics(self) -> list[str]:
        """Return the metrics that compare with the base model's images."""
        return [name for name in self.metrics if load_metric(name).needs_base]

    def for_eraser(self: G, name: str) -> G:
        """Return the grid as one eraser's images are drawn."""
        variant = self.variants.get(name)
        if variant is None:
            return self
        for key in variant.sampler:
            choose(f"sampler setting of {name}", key, VARIED)
        sampler = Sampler.model_validate(self.sampler.model_dump() | variant.sampler)
        return self.model_copy(update={"sampler": sampler, "prompt": variant.prompt or self.prompt})

    def ask(self, cell: Cell) -> str:
        """Return the prompt for a cell."""
        spelt = theme(cell.style)
        return self.prompt.format(
            theme=spelt,
            theme_words=spelt.replace("_", " "),
            style=cell.style.replace("_", " "),
            object=cell.object.replace("_", " "),
            article="An" if cell.object[0] in "AEIOU" else "A",
        )

    def check_prompt(self) -> None:
        """Raise ValueError if the prompt has a field that no cell fills."""
        try:
            self.ask(Cell(style=self.styles[0], object=self.objects[0]))
        except (KeyError, IndexError, AttributeError, ValueError) as exc:
            known = "{style}, {object}, {article}, {theme} and {theme_words}"
            raise ValueError(f"prompt may hold {known}, got {self.prompt!r}") from exc
