"""A benchmark as it runs, passed to trackers."""

import time
from collections.abc import Mapping, Sequence
from typing import final

from unlearncanvas.engine.callbacks import Callback
from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun
from unlearncanvas.publish.tracking.async_tracker import AsyncTracker

PAUSE = 5.0
"""Seconds between two points of the progress."""


@final
class TrackerCallback(Callback):
    """Opens a run at the first erasure of its label, and logs its losses and its images.

    Args:
        trackers: Each gets everything.
        runs: By label; what is erased under another label is not tracked.
    """

    def __init__(self, trackers: Sequence[AsyncTracker], runs: Mapping[str, TrackedRun]) -> None:
        self._trackers, self._runs = trackers, runs
        self._images = dict.fromkeys(runs, 0)
        self._open: set[str] = set()
        self._label, self._what, self._logged = "", "", 0.0

    def erasing(self, eraser: str, what: str) -> None:
        """Open the label's run, if it is its first erasure."""
        if eraser in self._runs and eraser not in self._open:
            for tracker in self._trackers:
                tracker.open(self._runs[eraser])
            self._open.add(eraser)
        self._label, self._what = eraser, what

    def loss(self, name: str, step: int, value: float) -> None:
        """Log it under the target's name, and its own where there are several."""
        key = f"loss/{self._what}" if name == "loss" else f"loss/{self._what}/{name}"
        self._log(self._label, {key: value}, step)

    def drawn(self, count: int) -> None:
        """Log the number of images so far, every few seconds."""
        self.reused(count)
        if time.monotonic() - self._logged > PAUSE and self._label in self._open:
            self._logged = time.monotonic()
            self._log(self._label, {"images": float(self._images[self._label])})

    def reused(self, count: int) -> None:
        """Count them."""
        if self._label in self._open:
            self._images[self._label] += count

    def finish(self, summaries: Mapping[str, RunSummary]) -> None:
        """End every run with its scores, pictures and files."""
        for label in self._runs:
            self._log(label, {"images": float(self._images[label])})
            for tracker in self._trackers if label in self._open else ():
                tracker.finish(label, summaries[label])

    def _log(self, label: str, values: Mapping[str, float], step: int | None = None) -> None:
        for tracker in self._trackers if label in self._open else ():
            tracker.log(label, values, step)
