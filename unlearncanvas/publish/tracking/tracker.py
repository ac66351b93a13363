"""What a tracker must do; another one is another file beside ``wandb_tracker.py``."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from metrics.base import Score


@dataclass(frozen=True, kw_only=True)
class Run:
    """One eraser in one exam.

    Attributes:
        name: The eraser.
        group: The protocol.
        folder: Where the tracker may keep what it needs; the same folder is the same run again.
        config: Settings and digests.
    """

    name: str
    group: str
    folder: Path
    config: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run ended with.

    Attributes:
        scores: Numbers by name, intervals as ``.../low`` and ``.../high``.
        pictures: Image files by name.
        files: Result files.
    """

    scores: Mapping[str, float]
    pictures: Mapping[str, Path]
    files: Sequence[Path]


class Tracker(ABC):
    """Takes runs down elsewhere. Calls come one after the other, from one thread."""

    @abstractmethod
    def open(self, run: Run) -> None:
        """A run starts, or goes on."""

    @abstractmethod
    def log(self, name: str, values: Mapping[str, float]) -> None:
        """Numbers of a run that has been opened; each call is a point in time."""

    @abstractmethod
    def finish(self, name: str, outcome: Outcome) -> None:
        """A run has ended."""


def flat(name: str, score: Score) -> dict[str, float]:
    """Return a score as numbers, its interval under ``.../low`` and ``.../high``."""
    found = {name: score.value}
    if score.low is not None and score.high is not None:
        found |= {f"{name}/low": score.low, f"{name}/high": score.high}
    return found
