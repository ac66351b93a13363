"""A tracker on a thread of its own: whatever happens to it, the benchmark goes on."""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import final

from unlearncanvas.publish.tracking.tracker import Outcome, Run, Tracker

_log = logging.getLogger(__name__)
PATIENCE = 120.0
"""Seconds that the end of a benchmark waits for a slow tracker."""


@final
class Background(Tracker):
    """Passes every call on; the first that fails is told, and ends it.

    Attributes:
        failed: Whether something did not arrive; known when it is closed.
    """

    def __init__(self, tracker: Tracker, patience: float = PATIENCE) -> None:
        self._tracker, self._patience = tracker, patience
        self.failed = False
        self._calls: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True, name="tracker")
        self._thread.start()

    def open(self, run: Run) -> None:
        """Pass it on."""
        self._calls.put(lambda: self._tracker.open(run))

    def log(self, name: str, values: Mapping[str, float]) -> None:
        """Pass it on."""
        self._calls.put(lambda: self._tracker.log(name, values))

    def finish(self, name: str, outcome: Outcome) -> None:
        """Pass it on."""
        self._calls.put(lambda: self._tracker.finish(name, outcome))

    def close(self) -> None:
        """Wait until everything has been passed on, but not for ever."""
        self._calls.put(None)
        self._thread.join(self._patience)
        if self._thread.is_alive():
            self.failed = True
            _log.warning(
                "the tracker did not answer within %.0f s; the local files are whole, send them "
                "later with: unlearncanvas track RUNS",
                self._patience,
            )

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception as exc:  # noqa: BLE001 - a tracker may fail in any way
                self.failed = True
                _log.warning(
                    "tracking stopped, the benchmark goes on: %s; send the results later with: "
                    "unlearncanvas track RUNS",
                    " ".join(str(exc).split()) or type(exc).__name__,
                )
                return
