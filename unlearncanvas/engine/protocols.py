"""Protocol files of every evaluation: their ``kind`` names the folder of the evaluation.

    kind: grid                 unlearncanvas.evaluations.grid.protocol
    kind: my_package.attacks   my_package.attacks.protocol, a package from outside

That module holds one subclass of ``EvaluationProtocol``. There is no list to edit.
"""

import importlib
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from unlearncanvas.core.building import one_line
from unlearncanvas.core.fields import Frozen, Name
from unlearncanvas.core.registry import choose, find_config, read_yaml

NOT_IN_DIGEST = {"name", "title", "kind", "tiers", "default_tier"}
"""What changes neither a pixel nor a score of a given model."""
RENAMED = {"plain_style": "reference_style", "retain_every": "retain_stride"}
"""Keys of protocol files of version 0.6 and before, and what they are now."""
EVALUATIONS = "unlearncanvas.evaluations"
P = TypeVar("P", bound="EvaluationProtocol")


class EvaluationProtocol(Frozen, ABC):
    """The fixed rules of one kind of evaluation, as a YAML file gives them.

    Attributes:
        name: Of the protocol.
        title: What it is, on one line.
        kind: Folder of the evaluation.
        default_tier: Tier that runs unless another is named.
        tiers: Parts of the protocol.
    """

    name: Name
    title: str
    kind: str
    default_tier: str
    tiers: Mapping[Name, Frozen]

    @property
    @abstractmethod
    def digest(self) -> str:
        """Digest of all that changes a pixel or a score; ``kind`` and tiers do not."""

    @abstractmethod
    def amount(self, tier: str) -> str:
        """Return the work of a tier for one eraser, as ``ls protocols`` prints it."""

    @abstractmethod
    def entries(self) -> Sequence[tuple[str, Sequence[str]]]:
        """Return the values of ``--targets``, each with the lines that ``ls targets`` prints."""


def kind_of(name: str) -> str:
    """Return the kind of a protocol, by name or YAML path."""
    return str(_kind_in(_rules(find_config("protocols", name))))


def protocol_class(kind: str) -> type[EvaluationProtocol]:
    """Return the class of the protocols of a kind.

    Raises:
        ValueError: If there is no such evaluation, or its module holds no single class.
    """
    known = sorted(path.parent.name for path in _folder().glob("*/protocol.py"))
    if "." not in kind or not all(map(str.isidentifier, kind.split("."))):
        choose("kind of protocol", kind, known)
    module = f"{kind}.protocol" if "." in kind else f"{EVALUATIONS}.{kind}.protocol"
    try:
        members = vars(importlib.import_module(module)).values()
    except ImportError as exc:
        raise ValueError(
            f"kind {kind!r}: cannot import {module}: {exc}; kinds of this package are "
            f"{', '.join(known)}"
        ) from exc
    found = [
        item
        for item in members
        if inspect.isclass(item)
        and issubclass(item, EvaluationProtocol)
        and item.__module__ == module
        and not inspect.isabstract(item)
    ]
    if len(found) != 1:
        raise ValueError(f"{module} must hold one EvaluationProtocol, found {len(found)}")
    return found[0]


def load_any(name: str) -> EvaluationProtocol:
    """Return a protocol of any kind, by name or YAML path.

    Raises:
        ValueError: If it is unknown or breaks a rule, in one line.
    """
    return read_protocol(protocol_class(kind_of(name)), name)


def read_protocol(cls: type[P], name: str) -> P:
    """Return a protocol of a class by name or YAML path.

    Raises:
        ValueError: If it is unknown, of another kind, or breaks a rule, in one line.
    """
    path = find_config("protocols", name)
    rules = _rules(path)
    kind = _kind_in(rules)
    if "kind" not in rules:
        logging.getLogger(__name__).warning(
            "%s has no kind and is read as 'kind: %s'; add that line, 0.8 requires it", path, kind
        )
    if protocol_class(kind) is not cls:
        raise ValueError(
            f"protocol {path.stem} is of kind {kind}, expected {cls.model_fields['kind'].default}"
        )
    try:
        return cls.model_validate({**rules, "kind": kind})
    except ValidationError as exc:
        raise ValueError(f"protocol {path.stem}: {one_line(exc)}") from exc


def counted(number: int, what: str) -> str:
    """Return ``1 seed``, ``5 seeds``."""
    return f"{number} {what}{'s' if number != 1 else ''}"


def with_new_keys(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules of a protocol file of any version under the keys of this one."""
    return {RENAMED.get(key, key): value for key, value in rules.items()}


def _folder() -> Path:
    return Path(__file__).parents[1] / "evaluations"


def _kind_in(rules: Mapping[str, Any]) -> Any:
    """The kind that rules name; files of version 0.6 and before name none."""
    return rules.get("kind", "backdoor" if "attacks" in rules else "grid")


def _rules(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The rules, completed by those of their ``base``; the sampler key by key."""
    rules = with_new_keys(read_yaml(path))
    if "base" not in rules:
        return rules
    base_path = find_config("protocols", str(rules["base"])).resolve()
    if base_path in above:
        raise ValueError(f"{base_path} is its own base")
    base = _rules(base_path, (*above, base_path))
    merged = base | rules
    if isinstance(base.get("sampler"), dict) and isinstance(merged["sampler"], dict):
        merged["sampler"] = base["sampler"] | merged["sampler"]
    return {key: value for key, value in merged.items() if key != "base"}
