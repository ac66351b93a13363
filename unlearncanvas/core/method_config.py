"""A YAML file of ``configs/``: class, metadata, presets, tune space, settings."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from unlearncanvas.core.building import build, import_class, one_line
from unlearncanvas.core.fields import Frozen
from unlearncanvas.core.metadata import Metadata, MethodMetadata, MetricMetadata
from unlearncanvas.core.registry import choose, find_config, read_yaml

C = TypeVar("C", bound="Config")


class Choices(Frozen):
    """A categorical setting of a search."""

    choices: tuple[str | int | float | bool, ...] = Field(min_length=1)


class Range(Frozen):
    """A numerical setting of a search.

    Attributes:
        low: Lower end; > 0 where ``log``.
        high: Upper end, > low.
        log: Whether the search is uniform in the logarithm.
    """

    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if not (0 if self.log else -math.inf) < self.low < self.high:
            raise ValueError("expected low < high, and 0 < low with log: true")
        return self


def _as_axis(value: Any) -> Choices | Range:
    model = Choices if isinstance(value, dict) and "choices" in value else Range
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        raise ValueError("takes choices: [..], or low < high (with log: true, 0 < low)") from exc


def _as_mapping(value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise ValueError("must hold keys and values")
    return value or {}


Axis = Annotated[Choices | Range, BeforeValidator(_as_axis)]
Settings = Annotated[dict[str, Any], BeforeValidator(_as_mapping)]


class Config(Frozen):
    """A class with settings.

    Attributes:
        class_path: Dotted name of the class, under the key ``class``.
        about: Facts that the class does not read.
        settings: Its settings: all keys of the file that are no other field's.
    """

    class_path: str = Field(validation_alias="class")
    about: Metadata = Field(default_factory=Metadata)
    settings: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _gather_settings(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(data.get("class"), str):
            raise ValueError(
                f"needs a line 'class: package.module.Class', got {data.get('class')!r}"
            )
        own = {"class", *cls.model_fields} - {"class_path", "settings"}
        return {key: data[key] for key in own if key in data} | {
            "settings": {key: data[key] for key in data if key not in own}
        }

    @field_validator("about", "presets", "tune", mode="before", check_fields=False)
    @classmethod
    def _none_is_empty(cls, value: Any) -> dict[str, Any]:
        return _as_mapping(value)


class MethodConfig(Config):
    """An eraser or an attack.

    Attributes:
        presets: Settings that win over ``settings`` where a protocol asks for them by name.
    """

    about: MethodMetadata = Field(default_factory=MethodMetadata)
    presets: dict[str, Settings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _work_of_presets(self) -> "MethodConfig":
        for name in self.about.ufe:
            choose("preset under about: ufe", name, self.presets)
        return self

    def settings_for(self, preset: str | None) -> dict[str, Any]:
        """Return the settings with those of a preset; one that the file does not have adds none."""
        return {**self.settings, **self.presets.get(str(preset), {})}


class EraserConfig(MethodConfig):
    """An eraser.

    Attributes:
        tune: Where a search looks for better settings.
    """

    tune: dict[str, Axis] = Field(default_factory=dict)


class AttackConfig(MethodConfig):
    """An attack, which injects backdoors."""


class MetricConfig(Config):
    """A metric."""

    about: MetricMetadata = Field(default_factory=MetricMetadata)


METHOD_CONFIGS: Mapping[str, type[MethodConfig]] = {
    "erasers": EraserConfig,
    "attacks": AttackConfig,
}
"""Models of the method configs, by folder."""


def read_config(model: type[C], path: Path) -> C:
    """Return a YAML file as a config.

    Raises:
        ValueError: One line with the file, the key, what was expected and what came.
    """
    try:
        return model.model_validate(read_yaml(path))
    except ValidationError as exc:
        raise ValueError(f"{path}: {one_line(exc)}") from exc


def load_metric(name: str) -> Any:
    """Return a metric by its registry name."""
    config = read_config(MetricConfig, find_config("metrics", name))
    return build(import_class(config.class_path), config.settings, where=f"metric {name}")


def image_sets_of(metric: str) -> tuple[str, ...]:
    """Return the image sets of other wordings that a metric reads; its class is not imported."""
    config = read_config(MetricConfig, find_config("metrics", metric))
    return tuple(config.settings.get("image_sets", ()))
