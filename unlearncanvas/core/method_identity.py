"""The identity of a method, and the digest of the code that ran."""

import hashlib
import inspect
from collections.abc import Mapping
from pathlib import Path

METHODS = ("erasers", "unlearncanvas.evaluations.backdoor")
"""Packages whose modules an artifact depends on."""
SHIPPED = ("erasers.", "unlearncanvas.")
"""Start of the dotted names of the classes that come with this package."""


def method_identity(
    method: str,
    settings: Mapping[str, object],
    version: int,
    *,
    eraser_class: str,
    source_digest: str,
) -> dict[str, object]:
    """Return the identity of a method: the key of artifacts, folders and bundles.

    A registered method is its registry name, its settings and its version. Its class may be moved
    or renamed and its sources may be edited: only a raised version says that its numbers changed.
    A renamed configuration is another method, and so are two configurations of one class. A class
    that is named by a YAML file elsewhere or by ``package.module:Class`` is keyed by its dotted
    name, since the name of such a file says nothing. A class from outside this package is keyed by
    the bytes of its sources as well: no golden number says when its version must be raised.
    """
    outside = {} if eraser_class.startswith(SHIPPED) else {"source": source_digest}
    return {"method": method, "settings": dict(settings), "version": version, **outside}


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
