"""A benchmark as it runs, told to a tracker."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import final

from unlearncanvas.config import ConfiguredEraser
from unlearncanvas.listener import Listener
from unlearncanvas.plan import Plan
from unlearncanvas.results import RunResults
from unlearncanvas.tracking.tracker import Outcome, Run, Tracker
from unlearncanvas.types import Score

PAUSE = 5.0
"""Seconds between two points of the progress."""


@final
class Mirror(Listener):
    """Opens a run for each eraser when it starts, and logs its losses and its images."""

    def __init__(self, tracker: Tracker, plan: Plan) -> None:
        self._tracker, self._plan = tracker, plan
        self._open: list[str] = []
        self._what, self._images, self._told = "", 0, 0.0

    def erasing(self, eraser: str, what: str) -> None:
        """Open the eraser's run, if it is its first erasure."""
        if eraser not in self._open:
            configured = next(item for item in self._plan.erasers if item.name == eraser)
            self._tracker.open(run_of(self._plan, configured))
            self._open.append(eraser)
        self._what = what

    def loss(self, step: int, value: float) -> None:
        """Log it under the target's name."""
        self._log({f"loss/{self._what}": value, "erase_step": float(step)})

    def drawn(self, count: int) -> None:
        """Log how many images there are, every few seconds."""
        self._images += count
        if time.monotonic() - self._told > PAUSE:
            self._told = time.monotonic()
            self._log({"images": float(self._images)})

    def reused(self, count: int) -> None:
        """Count them."""
        self._images += count

    def finish(self, results: RunResults, pictures: Sequence[Path]) -> None:
        """End every run with its scores, pictures and files."""
        for name in self._open:
            self._log_last(name)
            configured = next(item for item in self._plan.erasers if item.name == name)
            folder = self._plan.eraser_folder(configured)
            own = [path for path in pictures if path.is_relative_to(folder)]
            common = [path for path in pictures if path.parent == self._plan.run_folder()]
            files = [self._plan.out / path for path in results.results]
            self._tracker.finish(
                name,
                Outcome(
                    scores=scores_of(results, name),
                    pictures=named(dict.fromkeys([*own, *common])),
                    files=[
                        self._plan.run_folder() / "results.json",
                        *(path for path in files if path.is_relative_to(folder)),
                    ],
                ),
            )

    def _log(self, values: Mapping[str, float]) -> None:
        if self._open:
            self._tracker.log(self._open[-1], values)

    def _log_last(self, name: str) -> None:
        self._tracker.log(name, {"images": float(self._images)})


def run_of(plan: Plan, eraser: ConfiguredEraser) -> Run:
    """Return an eraser's run in a plan."""
    return Run(
        name=eraser.name,
        group=plan.protocol.name,
        folder=plan.eraser_folder(eraser) / plan.tier,
        config={
            "settings": eraser.settings,
            "source_digest": eraser.source_digest,
            "protocol": plan.protocol.name,
            "protocol_digest": plan.whole.digest,
            "model": plan.model,
            "tier": plan.tier,
            "targets": list(map(str, plan.targets)),
            "seeds": list(plan.seeds),
        },
    )


def scores_of(results: RunResults, eraser: str) -> dict[str, float]:
    """Return an eraser's mean scores with their intervals, and its cost."""
    found: dict[str, float] = {}
    for row in results.rows:
        if row.label.split()[0] != eraser:
            continue
        for name, score in row.scores.items():
            found |= flat(f"{row.kind}/{name}", score)
        for name in ("ufe", "erase_seconds", "stored_bytes", "peak_memory_bytes"):
            value = getattr(row, name)
            if value is not None:
                found[f"{row.kind}/{name}"] = float(value)
    return found


def flat(name: str, score: Score) -> dict[str, float]:
    """Return a score as numbers."""
    found = {name: score.value}
    if score.low is not None and score.high is not None:
        found |= {f"{name}/low": score.low, f"{name}/high": score.high}
    return found


def named(pictures: Iterable[Path]) -> dict[str, Path]:
    """Return pictures by target and kind, ``style-Mosaic-seed0/sheet``."""
    return {f"{path.parent.name}/{path.stem}": path for path in pictures}
