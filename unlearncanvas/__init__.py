"""A benchmark for concept unlearning in text-to-image diffusion models."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearncanvas.api import evaluate as evaluate
    from unlearncanvas.api import list_erasers as list_erasers
    from unlearncanvas.pipelines.artifacts import load_erased as load_erased

__all__ = ["evaluate", "list_erasers", "load_erased"]
_HOMES = {
    "evaluate": "unlearncanvas.api",
    "list_erasers": "unlearncanvas.api",
    "load_erased": "unlearncanvas.pipelines.artifacts",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first access; importing the package loads nothing heavy."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'unlearncanvas' has no attribute {name!r}")


def _refuse_shadows(names: tuple[str, ...] = ("erasers", "metrics")) -> None:
    """Raise ImportError where a file elsewhere shadows a package of this project.

    ``python -m`` looks in the working folder first. A command ends with one line and exit code 2:
    this runs before any other import, where no command exists yet to report an error.

    Raises:
        ImportError: If there is one, and this is no command.
    """
    for name in names:
        own = Path(__file__).resolve().parents[1] / name / "__init__.py"
        spec = find_spec(name)
        found = own if spec is None or spec.origin is None else Path(spec.origin).resolve()
        if found == own:
            continue
        message = (
            f"{found} shadows the package {name!r} of unlearncanvas ({own.parent}): rename it, "
            "start elsewhere, or use the console script `unlearncanvas`"
        )
        if Path(sys.argv[0]).name in (
            "-m",
            "unlearncanvas",
        ):  # Python calls it -m until it is found
            sys.stderr.write(f"error: {message}\n")
            sys.exit(2)
        raise ImportError(message)


_refuse_shadows()
