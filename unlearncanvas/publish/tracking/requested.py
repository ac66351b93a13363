"""What ``--track``, ``--wandb`` and ``--wandb_args`` ask for, checked before the work starts."""

from collections.abc import Sequence
from importlib.util import find_spec

from unlearncanvas.core.registry import choose
from unlearncanvas.publish.tracking.library import Library
from unlearncanvas.publish.tracking.mlflow_tracker import MLflow
from unlearncanvas.publish.tracking.other_trackers import OTHERS, OtherLibrary
from unlearncanvas.publish.tracking.tensorboard_tracker import TensorBoard
from unlearncanvas.publish.tracking.wandb_tracker import Wandb

TESTED = {library.name: library for library in (Wandb, TensorBoard, MLflow)}
NAMES = (*TESTED, *OTHERS)


def as_track(track: Sequence[str], *, wandb: bool, wandb_args: Sequence[str]) -> list[str]:
    """Return ``--wandb`` and ``--wandb_args`` as what they are short for, behind ``--track``."""
    short = ["wandb"] if wandb else []
    return [*track, *short, *(f"wandb:{text}" for text in wandb_args)]


def libraries(track: Sequence[str]) -> list[Library]:
    """Return a library for every tracker that texts such as ``wandb:project=mine`` name.

    Texts of the same tracker are put together.

    Raises:
        ValueError: If a tracker or an argument is unknown, or a package is missing.
    """
    asked: dict[str, dict[str, str]] = {}
    for text in track:
        name, _, rest = text.partition(":")
        choose("tracker", name, NAMES)
        asked.setdefault(name, {}).update(_arguments(name, rest))
    return [_library(name, arguments) for name, arguments in asked.items()]


def _library(name: str, arguments: dict[str, str]) -> Library:
    library = TESTED[name](arguments) if name in TESTED else OtherLibrary(name, arguments)
    if find_spec(library.module) is None:
        raise ValueError(f"--track {name} needs: pip install {library.package}")
    return library


def _arguments(name: str, text: str) -> dict[str, str]:
    """Return ``key=value,key=value`` as a mapping."""
    found = {}
    for part in text.split(",") if text else ():
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise ValueError(f"--track {name} takes key=value, got {part!r}")
        found[key] = value
    return found
