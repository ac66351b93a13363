"""Erasers and attacks by name, with their settings and their identity."""

import dataclasses
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unlearncanvas.core.building import build, class_name, import_class
from unlearncanvas.core.method_config import METHOD_CONFIGS, read_config
from unlearncanvas.core.method_identity import method_identity, source_digest
from unlearncanvas.core.registry import CONFIG_DIR, find_config, names

if TYPE_CHECKING:
    from erasers.base import Method


@dataclass(frozen=True, kw_only=True)
class ConfiguredEraser:
    """An eraser or attack with its settings and its identity.

    Attributes:
        name: Registry name, YAML stem or class name.
        eraser: The method with its settings.
        settings: All of its fields, as plain data.
        method: Name of the method in ``identity``: its registry name, or its class where the
            registry does not have it.
        version: Of the class.
        source_digest: sha256 of the source files of its class and of the modules it imports from
            its own package.
    """

    name: str
    eraser: "Method"
    settings: dict[str, Any]
    method: str
    version: int
    source_digest: str

    @property
    def identity(self) -> dict[str, object]:
        """The key of the method, see ``method_identity``."""
        return method_identity(
            self.method,
            self.settings,
            self.version,
            eraser_class=class_name(type(self.eraser)),
            source_digest=self.source_digest,
        )


def method_name(name: str) -> str:
    """Return the name in tables of a registry name, a YAML path or ``package.module:Class``."""
    return name.rpartition(":")[2].lower() if ":" in name else Path(name).stem


def load_eraser(
    name: str,
    *,
    preset: str | None,
    overrides: Mapping[str, Any] | None = None,
    shared: Mapping[str, Any] | None = None,
    kind: Literal["erasers", "attacks"] = "erasers",
) -> ConfiguredEraser:
    """Return an eraser or an attack by registry name, YAML path or ``package.module:Class``.

    Args:
        name: What to load.
        preset: Preset of the protocol; ignored where the config has none of that name.
        overrides: Settings that win over all others.
        shared: Settings that win over config and preset where the class has them.
        kind: Registry; a class of another kind is refused.
    """
    from erasers.base import Method

    if ":" in name:
        cls, settings, registered = import_class(name), {}, False
    else:
        path = find_config(kind, name)
        config = read_config(METHOD_CONFIGS[kind], path)
        cls = import_class(config.class_path)
        settings = config.settings_for(preset)
        registered = path.resolve().parent == (CONFIG_DIR / kind).resolve()
    _require_kind(cls, kind)
    if cls.leaves == "weights" and cls.restore is not Method.restore:
        raise ValueError(
            f"{class_name(cls)} has a restore of its own, which weights do not take: set leaves to "
            "'adapter' or 'hook', or leave restore out"
        )
    label, fields = method_name(name), {item.name for item in dataclasses.fields(cls)}
    common = {key: value for key, value in (shared or {}).items() if key in fields}
    chosen = {**settings, **common, **(overrides or {})}
    eraser = build(cls, chosen, where=f"{kind.removesuffix('s')} {label}")
    return ConfiguredEraser(
        name=label,
        eraser=eraser,
        settings=dataclasses.asdict(eraser),
        method=label if registered else class_name(cls),
        version=cls.version,
        source_digest=source_digest(cls),
    )


def _require_kind(cls: Any, registry: Literal["erasers", "attacks"]) -> None:
    """Raise ValueError unless a class is a method of the registry's kind that can be made."""
    from erasers.base import Method

    name, kind = class_name(cls), registry.removesuffix("s")
    if not issubclass(cls, Method):
        raise ValueError(f"expected an {kind}, got {name}, which is not an erasers.base.Method")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise ValueError(f"expected an {kind}, got {name}, which is abstract: it lacks {missing}")
    if cls.kind != kind:
        raise ValueError(
            f"expected an {kind}, got {name}, which is an {cls.kind}; choose from "
            f"{', '.join(names(registry))}"
        )
