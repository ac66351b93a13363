"""Configuration: YAML files and dotted class names to objects, with errors that name the fix.

The folder ``configs/`` is the registry. There is no list to edit.
"""

import dataclasses
import difflib
import hashlib
import importlib
import inspect
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from unlearncanvas.core.yaml_text import parse_yaml

if TYPE_CHECKING:
    from erasers.base import Method

T = TypeVar("T")
_INSTALLED = Path(__file__).parents[1] / "configs"
CONFIG_DIR = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "configs"
"""Inside the wheel, the package's own copy; in a checkout, the folder at the top."""


METHODS = ("erasers", "unlearncanvas.evaluations.backdoor")
"""Packages whose modules decide what an artifact is."""
SHIPPED = ("erasers.", "unlearncanvas.")
"""Start of the dotted names of the classes that come with this package."""
SHORT = 80
"""Characters of a wrong value that a message shows."""


def names(kind: str) -> list[str]:
    """Return the names of a registry: ``erasers``, ``metrics`` or ``protocols``."""
    return sorted(path.stem for path in (CONFIG_DIR / kind).glob("*.yaml"))


def choose(what: str, name: str, known: Iterable[str]) -> str:
    """Return ``name`` if it is known.

    Raises:
        ValueError: If not; the message has the nearest names first.
    """
    known = list(known)
    if name in known:
        return name
    folded = {item.casefold().replace("_", " "): item for item in known}
    near = difflib.get_close_matches(name.casefold().replace("_", " "), folded, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(folded[item] for item in near)}? " if near else ""
    raise ValueError(f"unknown {what} {name!r}; {hint}choose from {', '.join(known)}")


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a YAML file's mapping.

    Raises:
        ValueError: If it cannot be read or is not a mapping.
    """
    try:
        data = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ValueError(f"cannot read {path}: {exc}") from exc
    if not isinstance(data, dict):
        raise ValueError(f"{path} must hold keys and values, got {type(data).__name__}")
    return data


def find_config(kind: str, name: str) -> Path:
    """Return the path of a registered config, or of a YAML file given by its path."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise ValueError(f"no such config file: {path}")
        return path
    return CONFIG_DIR / kind / f"{choose(kind.removesuffix('s'), name, names(kind))}.yaml"


def import_class(dotted: str) -> Any:
    """Return the class named ``package.module.Class`` or ``package.module:Class``."""
    module_name, _, class_name = dotted.replace(":", ".").rpartition(".")
    if not class_name.isidentifier() or not all(map(str.isidentifier, module_name.split("."))):
        raise ValueError(f"a class is written package.module:Class, got {dotted!r}")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as exc:
        raise ValueError(f"cannot import {dotted!r}: {exc}") from exc
    except Exception as exc:
        place = traceback.extract_tb(exc.__traceback__)[-1]
        raise ValueError(
            f"cannot import {dotted!r}: {type(exc).__name__} in {place.filename}, line "
            f"{place.lineno}: {exc}"
        ) from exc
    if not inspect.isclass(found):
        raise ValueError(f"{dotted!r} is not a class")
    return found


def build(cls: type[T], settings: Mapping[str, Any], *, where: str) -> T:
    """Return ``cls(**settings)`` with checked keys and types.

    Raises:
        ValueError: One line: the unknown key with the known ones, or the value that does not fit.
    """
    known = [item.name for item in dataclasses.fields(cls) if item.init]  # type: ignore[arg-type]
    for key in settings:
        choose(f"setting of {where}", key, known)
    try:
        made = TypeAdapter(cls).validate_python(dict(settings))
    except ValidationError as exc:
        raise ValueError(f"{where}: {one_line(exc)}") from exc
    for key, value in settings.items():
        if isinstance(value, bool) and not isinstance(getattr(made, key), bool):
            raise ValueError(f"{where}: {key} must be a number, got {value}")
    return made


def one_line(exc: ValidationError) -> str:
    """Return the first problem of a validation error, where it is and what came."""
    first = exc.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}, got {shortened(first['input'])}" if place else message


def shortened(value: object) -> str:
    """Return a value as a message shows it."""
    text = repr(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]} ..."


@dataclass(frozen=True, kw_only=True)
class ConfiguredEraser:
    """A method, eraser or attack, and what identifies it.

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


def method_identity(
    method: str,
    settings: Mapping[str, object],
    version: int,
    *,
    eraser_class: str,
    source_digest: str,
) -> dict[str, object]:
    """Return what tells a method from every other: the key of artifacts, folders and bundles.

    A registered method is its registry name, its settings and its version. Its class may be moved
    or renamed and its sources may be edited: only a raised version says that its numbers changed.
    A renamed configuration is another method, and so are two configurations of one class. A class
    that is named by a YAML file elsewhere or by ``package.module:Class`` is keyed by its dotted
    name, since the name of such a file says nothing. A class from outside this package is keyed by
    the bytes of its sources as well: no golden number says when its version must be raised.
    """
    outside = {} if eraser_class.startswith(SHIPPED) else {"source": source_digest}
    return {"method": method, "settings": dict(settings), "version": version, **outside}


def class_name(cls: type) -> str:
    """Return the dotted name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


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
    from unlearncanvas.core.method_config import METHOD_CONFIGS, read_config

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


def load_metric(name: str) -> Any:
    """Return a metric by its registry name."""
    from unlearncanvas.core.method_config import MetricConfig, read_config

    config = read_config(MetricConfig, find_config("metrics", name))
    return build(import_class(config.class_path), config.settings, where=f"metric {name}")


def source_digest(cls: type) -> str:
    """Return the digest of a class's module and of all modules of methods that it uses.

    It records what code ran, and is part of the key of a class from outside this package. Methods
    are those in ``METHODS``; for a class from elsewhere, its own package, too.
    """
    seen: dict[str, bytes] = {}
    todo = [inspect.getmodule(cls)]
    packages = tuple(f"{package}." for package in METHODS)
    if not cls.__module__.startswith(packages):
        packages += (f"{cls.__module__.partition('.')[0]}.",)
    while todo:
        module = todo.pop()
        if module is None or module.__name__ in seen or not getattr(module, "__file__", None):
            continue
        seen[module.__name__] = Path(str(module.__file__)).read_bytes()
        for value in vars(module).values():
            owner = value if inspect.ismodule(value) else inspect.getmodule(value)
            if owner is not None and f"{owner.__name__}.".startswith(packages):
                todo.append(owner)
    total = hashlib.sha256()
    for name in sorted(seen):
        total.update(name.encode() + b"\0" + seen[name])
    return total.hexdigest()


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """Return ``key=value`` strings as settings; values are read as YAML.

    Raises:
        ValueError: If one has no ``=``, is no YAML, or a key is given twice.
    """
    overrides: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not key:
            raise ValueError(f"--set takes key=value, got {pair!r}")
        if key in overrides:
            raise ValueError(f"--set {key} is given twice; give each setting once")
        try:
            overrides[key] = parse_yaml(value)
        except ValueError as exc:
            raise ValueError(f"--set {key}: not a YAML value: {shortened(value)}: {exc}") from exc
    return overrides
