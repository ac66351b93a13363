"""All options of a run: the one place of their defaults, checks and help texts.

The command line has one flag for each field, a YAML file and the Python API have one key. Results
store what decides their numbers, so that ``bench --config results.json`` makes them again.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_serializer,
    model_validator,
)

from unlearncanvas.core.building import shortened
from unlearncanvas.core.fields import MAX_SEED, different
from unlearncanvas.core.registry import choose
from unlearncanvas.pipelines.sampler import DType, Optimization

WHAT, HOW, FILES, BACKDOORS = "What is computed", "How and where", "Files", "Backdoor protocols"
SECTIONS = (WHAT, BACKDOORS, HOW, FILES)
"""Of the help text."""


class OptionError(ValueError):
    """A value that an option does not take; the command line puts the flag for the field's name."""

    def __init__(self, fields: str | tuple[str, ...], text: str) -> None:
        self.fields = (fields,) if isinstance(fields, str) else fields
        self.text = text
        super().__init__(self.named(str))

    def named(self, name: Callable[[str], str]) -> str:
        """Return the message with ``name(field)`` for each field."""
        return f"{' and '.join(map(name, self.fields))} {self.text}"


@dataclass(frozen=True)
class Option:
    """What the command line and the messages need to know of a field.

    Attributes:
        takes: The values, as a message says them.
        section: Of the help text.
        metavar: What stands for the value in the help text.
        flag: On the command line, where it is not the field's name.
    """

    takes: str = "true or false"
    section: str = WHAT
    metavar: str = "TEXT"
    flag: str | None = None

    @property
    def computed(self) -> bool:
        """Whether it decides what the numbers are; results store such fields."""
        return self.section in (WHAT, BACKDOORS)


def _split(value: object) -> object:
    """Items of a text, separated by commas; a single number is a list of one."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",")]
    return [value] if isinstance(value, int) else value


def _one(value: object) -> object:
    """A list; a single text is a list of one."""
    return [value] if isinstance(value, str) else value


def _digits(value: object) -> object:
    """An integer written in decimal digits, and nothing else that Python takes for one."""
    if isinstance(value, str) and re.fullmatch("[+-]?[0-9]{1,19}", value):
        return int(value)
    return value


Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_one)]
Listed = Annotated[tuple[Text, ...], BeforeValidator(_split)]
Seed = Annotated[int, Field(strict=True, ge=0, le=MAX_SEED), BeforeValidator(_digits)]
Seeds = Annotated[
    tuple[Seed, ...], Field(min_length=1), BeforeValidator(_split), AfterValidator(different)
]
BatchSize = Annotated[int, Field(strict=True, ge=1, le=999_999), BeforeValidator(_digits)]
Optimizations = Annotated[
    tuple[Optimization, ...], BeforeValidator(_split), AfterValidator(different)
]
Fraction = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
DEVICE = "(auto|cpu|mps|cuda(:[0-9]{1,3})?)"
Device = Annotated[str, Field(pattern=f"^{DEVICE}$")]
ShardName = Annotated[str, Field(pattern="^[0-9]+/[0-9]+$")]
SEEDS = f"different integers from 0 to {MAX_SEED} (2^63 - 1), separated by commas"


class RunConfig(BaseModel):
    """The options of one run of the benchmark; the text under each field is its help text."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    erasers: Annotated[
        Texts,
        Field(min_length=1),
        Option("registered names, package.module:Class or YAML files", WHAT, "NAME", "--eraser"),
    ]
    """Registered name, package.module:Class, or a YAML file. Repeatable."""
    protocol: Annotated[Text, Option("a registered name or a YAML file", WHAT, "NAME")] = "mini"
    """Registered name or a YAML file."""
    model: Annotated[Text | None, Option("minicanvas, a diffusers folder or a Hub id")] = None
    """minicanvas, a diffusers folder or a Hub id; default: the protocol's."""
    tier: Annotated[Text | None, Option("a tier of the protocol", WHAT, "NAME")] = None
    """smoke, quick or full; default: the protocol's (quick)."""
    targets: Annotated[
        Listed | None, Option("names separated by commas, none of them empty", WHAT, "NAMES")
    ] = None
    """Comma-separated, e.g. 'Pop Art,Cat'; instead of a tier's. Attacks, for backdoors."""
    seeds: Annotated[Seeds | None, Option(SEEDS, WHAT, "INTEGERS")] = None
    """Image seeds, comma-separated; instead of a tier's."""
    erase_seeds: Annotated[Seeds | None, Option(SEEDS, WHAT, "INTEGERS")] = None
    """Seeds of the eraser, comma-separated; one row each."""
    settings: Annotated[
        dict[Text, JsonValue], Option("settings by name", WHAT, "KEY=VALUE", "--set")
    ] = {}
    """lr=2e-4: of all erasers that have it; esd.lr=2e-4: of one. Repeatable."""
    dtype: Annotated[DType | None, Option("float32, bfloat16 or float16")] = None
    """float32, bfloat16 or float16; default: the protocol's."""
    batch_size: Annotated[
        BatchSize | Literal["auto"] | None,
        Option("an integer >= 1 or auto, up to 999999", WHAT, "INTEGER"),
    ] = None
    """Images drawn together; default: the protocol's; auto: all that a GPU holds."""
    optimize: Annotated[
        Optimizations, Option("compile, channels-last or both, separated by a comma")
    ] = ()
    """compile, channels-last or both: faster on some machines, as python -m
    unlearncanvas.studies.speed says; other digits."""
    artifacts: Annotated[Literal["whole", "half", "dropped"], Option("whole, half or dropped")] = (
        "whole"
    )
    """Erased weights: whole, half (float16), or dropped once they are drawn."""
    skip_base_check: Annotated[bool, Option()] = False
    """Score a base model that the detectors do not recognize."""

    known_fraction: Annotated[Fraction, Option("a number in (0, 1]", BACKDOORS, "NUMBER")] = 1.0
    """Share of the triggers that the defender knows."""
    trigger_knowledge: Annotated[
        Literal["exact", "neighbour"], Option("exact or neighbour", BACKDOORS)
    ] = "exact"
    """exact, or neighbour: a text near each trigger."""

    device: Annotated[Device, Option("auto, cpu, mps, cuda or cuda:1", HOW, "NAME")] = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    shard: Annotated[ShardName | None, Option("index/count, as in 0/8", HOW, "I/N")] = None
    """Draw one part only, e.g. 0/8, the first of eight."""
    ray: Annotated[
        Text | None, Option("local, auto or the address of a Ray cluster", HOW, "[ADDRESS]")
    ] = None
    """Draw on a Ray cluster: local (the default), auto, or its address."""
    track: Annotated[
        Texts, Option("a tracker, as in wandb or mlflow:experiment_name=x", HOW, "NAME[:KEY=VALUE]")
    ] = ()
    """Log the run as it goes: wandb, tensorboard, mlflow, ..., with arguments as in
    wandb:project=mine. Repeatable."""
    wandb: Annotated[bool, Option(section=HOW)] = False
    """Short for --track wandb."""
    wandb_args: Annotated[
        Texts, Option("key=value for wandb.init", HOW, "KEY=VALUE", "--wandb_args")
    ] = ()
    """Short for --track wandb:key=value, e.g. project=mine."""
    dry_run: Annotated[bool, Option(section=HOW)] = False
    """Say what would be done, and how long it takes."""

    out: Annotated[Path, Option("a folder", FILES, "PATH")] = Path("runs")
    """Root of the run folders."""
    keep_images: Annotated[bool, Option(section=FILES)] = False
    """Write every image as a PNG."""
    detectors: Annotated[Text | None, Option("a folder of weights", FILES, "PATH")] = None
    """Folder of the classifiers' weights, for UnlearnCanvas."""
    dataset: Annotated[Text | None, Option("a folder or a name on the Hub", FILES, "PATH")] = None
    """UnlearnCanvas: folder style/object/1.jpg or of parquet, or Hub name."""
    inception: Annotated[Text | None, Option("a folder of weights", FILES, "PATH")] = None
    """Folder of the Inception weights, for FID; default: torch's."""

    @model_validator(mode="after")
    def _one_way_to_share(self) -> "RunConfig":
        if self.shard is not None and self.ray is not None:
            raise OptionError(("shard", "ray"), "exclude each other; give one of them")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: Callable[["RunConfig"], dict[str, Any]]) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if getattr(self, name) != fields[name].default
        }

    def computed(self, **resolved: object) -> "RunConfig":
        """Return what decides the numbers, with values that the machine decided filled in."""
        asked = {name: getattr(self, name) for name in self.model_fields_set}
        kept = {name: value for name, value in asked.items() if OPTIONS[name].computed}
        return RunConfig.model_validate(kept | resolved)


OPTIONS: Mapping[str, Option] = {
    name: next(item for item in field.metadata if isinstance(item, Option))
    for name, field in RunConfig.model_fields.items()
}
"""By name of the field."""


def read_options(data: Mapping[str, Any]) -> RunConfig:
    """Return checked options; one that is None is at its default.

    Raises:
        OptionError: For the first value that cannot be.
        ValueError: If there is no option of a name.
    """
    for name in data:
        choose("option", name, OPTIONS)
    given = {name: value for name, value in data.items() if value is not None}
    try:
        return RunConfig.model_validate(given)
    except ValidationError as exc:
        first = exc.errors()[0]
    found = first.get("ctx", {}).get("error")
    if isinstance(found, OptionError):
        raise found
    name = str(first["loc"][0])
    takes = OPTIONS[name].takes
    if name not in given:
        raise OptionError(name, f"is missing; it takes {takes}")
    raise OptionError(name, f"takes {takes}, got {shortened(data[name])}")
