"""A tracker on threads of its own: the benchmark never waits for it and never fails with it."""

import logging
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import NamedTuple, final

from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun
from unlearncanvas.publish.tracking.library import Library

_log = logging.getLogger(__name__)
PATIENCE = 120.0
"""Seconds without a sign of life after which the end of a benchmark waits no longer."""


class _Point(NamedTuple):
    """Numbers at one time of a run."""

    values: Mapping[str, float]
    step: int | None


@final
class AsyncTracker:
    """Sends runs to one library, each run on a thread of its own.

    The first failure of any run is one warning, and ends the tracking by this library.

    Args:
        library: Where the runs go.
        patience: See ``PATIENCE``.
        in_turn: Whether a run waits for the end of the one before.

    Attributes:
        failed: Whether something was not sent; final after :meth:`close`.
    """

    def __init__(
        self, library: Library, *, patience: float = PATIENCE, in_turn: bool = False
    ) -> None:
        self._library, self._patience, self._progress = library, patience, time.monotonic()
        self.failed = False
        self._queues: dict[str, queue.Queue[_Point | RunSummary | None]] = {}
        self._threads: list[threading.Thread] = []
        self._failing, self._starting = threading.Lock(), threading.Lock()
        self._turn = threading.Lock() if in_turn or library.one_run_at_a_time else nullcontext()

    def open(self, run: TrackedRun) -> None:
        """Start a run, or resume it."""
        points: queue.Queue[_Point | RunSummary | None] = queue.Queue()
        thread = threading.Thread(target=self._send, args=(run, points), daemon=True)
        self._queues[run.name] = points
        self._threads.append(thread)
        thread.start()

    def log(self, name: str, values: Mapping[str, float], step: int | None = None) -> None:
        """Add one point to an open run.

        Args:
            name: Of the run.
            values: By name.
            step: Optimizer step of an erasure; None for what has no such step.
        """
        self._queues[name].put(_Point(values, step))

    def finish(self, name: str, summary: RunSummary) -> None:
        """End a run with its results."""
        self._queues[name].put(summary)

    def close(self) -> None:
        """End all runs, and wait while the library takes what is left."""
        for points in self._queues.values():
            points.put(None)
        self._progress = time.monotonic()
        for thread in self._threads:
            while thread.is_alive() and time.monotonic() - self._progress < self._patience:
                thread.join(min(0.1, self._patience))
        if any(thread.is_alive() for thread in self._threads):
            self._fail(f"no answer within {self._patience:.0f} s")

    def _send(self, run: TrackedRun, points: "queue.Queue[_Point | RunSummary | None]") -> None:
        try:
            with self._turn:
                with self._starting:
                    if self.failed:
                        return
                    tracker = self._library.start(run)
                while isinstance(item := points.get(), _Point) and not self.failed:
                    self._library.log(tracker, item.values, item.step)
                    self._progress = time.monotonic()
                if self.failed:
                    return
                if isinstance(item, RunSummary):
                    self._library.log_summary(tracker, item)
                self._library.finish(tracker, interrupted=item is None)
                self._progress = time.monotonic()
        except Exception as exc:  # noqa: BLE001 - a tracker may fail in any way
            self._fail(" ".join(str(exc).split()) or type(exc).__name__)

    def _fail(self, reason: str) -> None:
        with self._failing:
            if not self.failed:
                _log.warning(
                    "tracking by %s stopped, the benchmark goes on: %s; the local files are whole, "
                    "send them later with: unlearncanvas track RUNS --track %s",
                    self._library.name, reason, self._library.name,
                )  # fmt: skip
            self.failed = True


@contextmanager
def open_trackers(libraries: Sequence[Library]) -> Iterator[list[AsyncTracker]]:
    """Yield a tracker for each library; wait for them at the end, whatever it is."""
    trackers = [AsyncTracker(library) for library in libraries]
    try:
        yield trackers
    finally:
        for tracker in trackers:
            tracker.close()
