"""A benchmark as it runs, told to a tracker."""

import time
from collections.abc import Mapping
from typing import final

from unlearncanvas.engine.callbacks import Callback
from unlearncanvas.publish.tracking.tracker import Outcome, Run, Tracker

PAUSE = 5.0
"""Seconds between two points of the progress."""


@final
class Mirror(Callback):
    """Opens a run for each eraser when it starts, and logs its losses and its images.

    Args:
        tracker: Is told.
        runs: By eraser; what is not in it (the injection of a backdoor) is not told.
    """

    def __init__(self, tracker: Tracker, runs: Mapping[str, Run]) -> None:
        self._tracker, self._runs = tracker, runs
        self._images = dict.fromkeys(runs, 0)
        self._open: set[str] = set()
        self._eraser, self._what, self._told = "", "", 0.0

    def erasing(self, eraser: str, what: str) -> None:
        """Open the eraser's run, if it is its first erasure."""
        if eraser in self._runs and eraser not in self._open:
            self._tracker.open(self._runs[eraser])
            self._open.add(eraser)
        self._eraser, self._what = eraser, what

    def loss(self, name: str, step: int, value: float) -> None:
        """Log it under the target's name, and its own where there are several."""
        key = f"loss/{self._what}" if name == "loss" else f"loss/{self._what}/{name}"
        self._log({key: value, "erase_step": float(step)})

    def drawn(self, count: int) -> None:
        """Log how many images there are, every few seconds."""
        self.reused(count)
        if time.monotonic() - self._told > PAUSE and self._eraser in self._open:
            self._told = time.monotonic()
            self._log({"images": float(self._images[self._eraser])})

    def reused(self, count: int) -> None:
        """Count them."""
        if self._eraser in self._open:
            self._images[self._eraser] += count

    def finish(self, outcomes: Mapping[str, Outcome]) -> None:
        """End every run with its scores, pictures and files."""
        for name in self._runs:
            if name in self._open:
                self._tracker.log(name, {"images": float(self._images[name])})
                self._tracker.finish(name, outcomes[name])

    def _log(self, values: Mapping[str, float]) -> None:
        if self._eraser in self._open:
            self._tracker.log(self._eraser, values)
