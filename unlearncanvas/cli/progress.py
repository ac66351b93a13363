"""The progress bar of a run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from unlearncanvas.engine.callbacks import Callback


class _Rate(ProgressColumn):
    """Images per second, without the time of erasing."""

    def render(self, task: Task) -> Text:
        rate = task.fields.get("rate")
        return Text("" if rate is None else f"{rate:.1f} images/s", style="cyan")


@final
class Bar(Callback):
    """Progress bar of a run."""

    def __init__(self, progress: Progress, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=total, rate=None)
        self._images, self._seconds, self._last = 0, 0.0, time.perf_counter()

    def erasing(self, eraser: str, what: str) -> None:
        """Name the erasure."""
        self._progress.update(self._task, description=f"erase {eraser} {what}")

    def drawing(self, label: str) -> None:
        """Name the chunk."""
        self._last = time.perf_counter()
        self._progress.update(self._task, description=f"draw {label}")

    def drawn(self, count: int) -> None:
        """Advance, and show the rate."""
        now = time.perf_counter()
        self._images, self._seconds = self._images + count, self._seconds + now - self._last
        self._last = now
        self._progress.update(self._task, advance=count, rate=self._images / self._seconds)

    def reused(self, count: int) -> None:
        """Advance over images that were generated before."""
        self._progress.update(self._task, advance=count)


def _whole(width: int) -> Column:
    """A column of numbers; in a narrow terminal the description is truncated first."""
    return Column(no_wrap=True, min_width=width)


@contextmanager
def bar(total: int | None, console: Console) -> Iterator[Bar]:
    """Show a bar of ``total`` images; None where the total is unknown."""
    columns = (
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        ),
        BarColumn(bar_width=16),
        MofNCompleteColumn(table_column=_whole(11)),
        _Rate(table_column=_whole(14)),
        TimeElapsedColumn(table_column=_whole(7)),
        TimeRemainingColumn(table_column=_whole(7)),
    )
    with Progress(*columns, console=console) as progress:
        yield Bar(progress, total)
