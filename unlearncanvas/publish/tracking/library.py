"""A tracking library behind accelerate's ``GeneralTracker``, and what that interface leaves out.

A ``GeneralTracker`` is one run: ``start``, ``store_init_configuration``, ``log``, ``finish``. How
a run is named and resumed, and how pictures and files are stored, differs between libraries.
"""

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from unlearncanvas.core.registry import choose
from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun

PROJECT = "unlearncanvas"
"""Project of the runs, and experiment of MLflow's, where the user names none."""


class Library(ABC):
    """Starts trackers of runs and writes to them.

    Attributes:
        name: As in ``--track name:key=value`` and in accelerate.
        module: What must be importable.
        package: What ``pip install`` calls it.
        keys: Arguments that the user may give; None for any.
        one_run_at_a_time: Whether the library holds one open run per process.
    """

    name: str
    module: str
    package: str
    keys: ClassVar[tuple[str, ...] | None] = None
    one_run_at_a_time: ClassVar[bool] = False

    def __init__(self, arguments: Mapping[str, str]) -> None:
        if self.keys is not None:
            for key in arguments:
                choose(f"argument of {self.name}", key, self.keys)
        self._arguments = dict(arguments)

    @abstractmethod
    def start(self, run: TrackedRun) -> Any:
        """Return the started ``GeneralTracker`` of a run; the run's config is stored."""

    def log(self, tracker: Any, values: Mapping[str, float], step: int | None) -> None:
        """Log one point; ``step`` counts the optimizer steps of an erasure."""
        tracker.log(dict(values), step=step)

    @abstractmethod
    def log_summary(self, tracker: Any, summary: RunSummary) -> None:
        """Log scores, pictures and files."""

    def finish(self, tracker: Any, *, interrupted: bool) -> None:
        """End the run."""
        del interrupted  # most libraries know one way to end
        tracker.finish()

    def _title(self, key: str, run: TrackedRun) -> str:
        """Return a run's name behind the prefix that the user may give as argument ``key``."""
        return " ".join([*filter(None, [self._arguments.get(key)]), run.name])


def kept_id(folder: Path, library: str) -> str:
    """Return the id that names the folder's run to a library, made at its first start."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{library}-id"
    if not path.exists():
        path.write_text(secrets.token_hex(4) + "\n", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


def flat(config: Mapping[str, object], prefix: str = "") -> dict[str, str | float | bool]:
    """Return a config as the plain values that trackers store: ``settings.lr``, lists as JSON."""
    found: dict[str, str | float | bool] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, str | float | int):
            found[prefix + key] = value
        else:
            found[prefix + key] = json.dumps(value, default=str)
    return found
