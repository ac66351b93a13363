"""A tracker on threads of its own: the benchmark never waits for it and never fails with it."""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, NamedTuple, final

from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun
from unlearncanvas.publish.tracking.library import Library

_log = logging.getLogger(__name__)
PATIENCE = 120.0
"""Seconds without a sign of life after which the end of a benchmark waits no longer."""

LAUNCHER = ("LOCAL_RANK", "WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
"""Variables by which accelerate sees that it is one of several processes."""


class _Point(NamedTuple):
    """Numbers at one time of a run."""

    values: Mapping[str, float]
    step: int | None


class _StoppedError(Exception):
    """A call has failed: nothing more is sent."""


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
        _start_accelerate()
        self._library, self._patience, self._progress = library, patience, time.monotonic()
        self.failed = False
        self._queues: dict[str, queue.Queue[_Point | RunSummary | None]] = {}
        self._threads: list[threading.Thread] = []
        self._failing, self._calling = threading.Lock(), threading.Lock()
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
        with suppress(_StoppedError), self._turn:
            tracker = self._call(self._library.start, run)
            while isinstance(item := points.get(), _Point):
                self._call(self._library.log, tracker, item.values, item.step)
            if item is not None:
                self._call(self._library.log_summary, tracker, item)
            self._call(self._library.finish, tracker, interrupted=item is None)

    def _call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call the library, one thread at a time: MLflow reads the files of all its runs."""
        with self._calling:
            if self.failed:
                raise _StoppedError
            try:
                found = function(*arguments, **options)
            except (Exception, SystemExit) as exc:
                self._fail(" ".join(str(exc).split()) or type(exc).__name__)
                raise _StoppedError from exc
            self._progress = time.monotonic()
            return found

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


def _start_accelerate() -> None:
    """Set up accelerate's process state, without which its trackers do not log.

    The launcher is hidden from it: it would wait for all processes, and only this one tracks.
    """
    from accelerate import PartialState

    hidden = {name: os.environ.pop(name) for name in LAUNCHER if name in os.environ}
    try:
        PartialState()
    finally:
        os.environ.update(hidden)
