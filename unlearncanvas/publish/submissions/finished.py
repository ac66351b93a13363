"""The finished runs under a folder, one entry a label."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from unlearncanvas.results.reading import read_results
from unlearncanvas.results.schema import FILE, Results, Row


class Finished(NamedTuple):
    """The rows of one label in a run.

    Attributes:
        path: The file of the run.
        results: What it holds.
        label: The label.
    """

    path: Path
    results: Results
    label: str

    @property
    def rows(self) -> list[Row]:
        """The rows of the label."""
        return [row for row in self.results.rows if row.label == self.label]

    @property
    def protocol_file(self) -> str:
        """The protocol as the run was started with: a registered name, or a file."""
        config = self.results.config
        return self.results.protocol if config is None else str(config.get("protocol", "mini"))

    @property
    def evidence(self) -> tuple[object, ...]:
        """The same for a label that stands in two files: same artifacts, same images."""
        chunks = [
            os.path.normpath(self.path.parent / name) for row in self.rows for name in row.chunks
        ]
        return self.results.protocol_digest, self.results.tier, self.label, tuple(chunks)


def find_run(runs: Path, eraser: str, tier: str | None) -> Finished:
    """Return the finished run of an eraser; ``eraser`` is its name, or the label of its rows.

    Raises:
        ValueError: If there is none, or several that differ.
    """
    found = [item for item in _finished(runs) if tier is None or item.results.tier == tier]
    chosen = [item for item in found if item.label == eraser]
    chosen = chosen or [item for item in found if item.rows[0].eraser == eraser]
    chosen = list({item.evidence: item for item in reversed(chosen)}.values())[::-1]
    if not chosen:
        raise ValueError(
            f"no finished run of {eraser!r}{f' at tier {tier}' if tier else ''} under {runs}; run "
            f"python -m unlearncanvas.bench --eraser {eraser} first"
        )
    if len(chosen) > 1:
        listed = ", ".join(f"{item.label!r} in {item.path.parent}" for item in chosen)
        raise ValueError(
            f"{len(chosen)} runs of {eraser!r}: {listed}; name one of their folders in the place "
            f"of {runs}, or choose with --tier, or with one of these names as --eraser"
        )
    return chosen[0]


def _finished(runs: Path) -> Iterator[Finished]:
    """Every label of every run under a folder whose rows are there."""
    for path in [runs] if runs.is_file() else sorted(runs.rglob(FILE)):
        results = read_results(path)
        for label in dict.fromkeys(row.label for row in results.rows if row.eraser):
            yield Finished(path, results, label)
