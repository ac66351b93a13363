"""The data of a run for trackers, the same for every evaluation: config, scores, files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from metrics.base import Score


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """One row label of an evaluation, as a run of a tracker.

    Attributes:
        name: The label: the eraser, with the erase seed where there are several.
        group: The protocol.
        folder: Where trackers keep their files; the same folder is the same run, resumed.
        config: Settings and digests; values may be nested.
    """

    name: str
    group: str
    folder: Path
    config: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """The results of a run.

    Attributes:
        scores: Numbers by name, as :func:`numbers` gives them.
        pictures: Image files by name.
        files: Result files.
    """

    scores: Mapping[str, float]
    pictures: Mapping[str, Path]
    files: Sequence[Path]


def numbers(
    group: str, scores: Mapping[str, Score], costs: Mapping[str, float | None]
) -> dict[str, float]:
    """Return the numbers of a row under ``group/name``.

    Args:
        group: What the row is the mean over, such as ``style``, or the attack.
        scores: An interval goes under ``group/name/low`` and ``group/name/high``.
        costs: Those that are None are left out.
    """
    found: dict[str, float] = {}
    for name, score in scores.items():
        found[f"{group}/{name}"] = score.value
        if score.low is not None and score.high is not None:
            found[f"{group}/{name}/low"] = score.low
            found[f"{group}/{name}/high"] = score.high
    return found | {
        f"{group}/{name}": float(value) for name, value in costs.items() if value is not None
    }
