"""The images of finished rows, as their evaluation scores them: no model is made or loaded."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import torch

from metrics.per_image import PerImage
from unlearncanvas.core.digests import SHORT
from unlearncanvas.core.registry import CONFIG_DIR, names
from unlearncanvas.engine.chunks import Chunk
from unlearncanvas.engine.drawing import Unit
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.job import Job
from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.engine.scoring import Drawn, DrawnSet, Scoring
from unlearncanvas.results.run_config import RunConfig
from unlearncanvas.results.schema import ELSEWHERE, Results, Row, group_name

EARLIER = CONFIG_DIR / "earlier"
"""Protocols that have changed, by name and digest: their results are still read and compared."""


@dataclass(frozen=True, kw_only=True)
class StoredChunk(Chunk):
    """A chunk in a file of any name, which may be a stranger's.

    Attributes:
        file: The parquet file.
    """

    file: Path

    @property
    def path(self) -> Path:
        """The parquet file."""
        return self.file

    def read(self) -> pa.Table:
        """Return the rows.

        Raises:
            ValueError: If they cannot be read.
        """
        try:
            return super().read()
        except (OSError, pa.ArrowException) as exc:
            raise ValueError(f"{self.file}: {' '.join(str(exc).split())}") from exc


@dataclass(frozen=True, kw_only=True)
class StoredRows:
    """The images of one model's rows, as their evaluation scores them.

    Attributes:
        path: The result file.
        results: Its content.
        rows: The rows, by what they were measured on.
        file_of: Returns a file that the results name; None if it is not there, or may not be read.
    """

    path: Path
    results: Results
    rows: Mapping[str, Row]
    file_of: Callable[[str], Path | None]

    def per_image(self, name: str) -> Mapping[str, PerImage]:
        """Return the values of single images that a row is compared by, by score.

        Args:
            name: What the row was measured on.

        Raises:
            ValueError: If images of the row are not there any more, or its evaluation is not.
        """
        if name not in self._jobs:
            raise ValueError(f"{self.path} holds a row of {name}, and its protocol has none")
        try:
            return self._evaluation.score(self._jobs[name], self._scoring).per_image
        except (LookupError, TypeError) as exc:
            raise ValueError(f"{self.path}: images of {name} are none of its protocol") from exc

    @cached_property
    def _evaluation(self) -> Evaluation:
        return evaluation_of_results(self.results)

    @cached_property
    def _jobs(self) -> dict[str, Job]:
        """The job of each row; where a baseline has one, too, the other."""
        return {group_name(job.group): job for job in self._evaluation.jobs()}

    @cached_property
    def _scoring(self) -> Scoring:
        base = {job.label for job in self._evaluation.jobs() if job.is_base}
        return Scoring(
            reference=None,
            device=torch.device("cpu"),
            find=self._find,
            artifact=_not_there,
            model_digest=_not_there,
            has_base=any(row.label in base for row in self.results.rows),
        )

    def _find(self, job: Job) -> Drawn:
        name = group_name(job.group)
        row = self.rows[name] if job is self._jobs[name] else self._row_of(job)
        drawn: dict[str, list[Unit]] = {}
        for unit in self._units(row, job):
            drawn.setdefault(unit.image_set.name, []).append(unit)
        return {name: DrawnSet(units) for name, units in drawn.items()}

    def _row_of(self, job: Job) -> Row:
        for row in self.results.rows:
            if (row.label, row.group) == (job.label, dict(job.group)):
                return row
        raise ValueError(f"{self.path} holds no row of {job.label!r}, which others are scored with")

    def _units(self, row: Row, job: Job) -> Iterator[Unit]:
        """The chunks of a row, which are named in the order in which its image sets are drawn."""
        image_sets = job.image_sets[:1] if self.results.tier == ELSEWHERE else job.image_sets
        planned = [(item, seeds) for item in image_sets for seeds in item.groups()]
        if len(row.chunks) != len(planned):
            raise ValueError(
                f"{self.path}: {row.label} names {len(row.chunks)} files of images in place of "
                f"{len(planned)}; run the same bench command again"
            )
        for name, (image_set, seeds) in zip(row.chunks, planned, strict=True):
            file = self.file_of(name)
            sealed = file is not None and file.with_suffix(".json").exists()
            if file is None or (sealed and Chunk.at(file) is None):
                raise ValueError(
                    f"{self.path.parent / name} is damaged or not there any more; "
                    "run the benchmark again"
                )
            chunk = StoredChunk(folder=file.parent, seed=seeds[0], key="", file=file)
            yield Unit(chunk, image_set, seeds)


def evaluation_of_results(results: Results) -> Evaluation:
    """Return the evaluation of a run with the baseline ``none`` in the place of its erasers.

    Raises:
        ValueError: If its protocol is not here, or its options are none of this version.
    """
    options = results.config
    known = results.protocol in names("protocols")
    if options is None:
        protocol = results.protocol if known else f"{results.protocol}.yaml"
        options = {"protocol": protocol, "seeds": list(results.seeds)}
    left_out = ("erasers", "settings", "erase_seeds", "device")
    kept = {name: value for name, value in options.items() if name not in left_out}
    kept |= {"erasers": ["none"], "device": "cpu"}
    found = evaluation_of(RunConfig.model_validate(kept))
    if not known or found.digest == results.protocol_digest:
        return found
    for file in sorted(EARLIER.glob(f"{results.protocol}-*.yaml")):
        earlier = evaluation_of(RunConfig.model_validate({**kept, "protocol": str(file)}))
        if earlier.digest == results.protocol_digest:
            return earlier
    raise ValueError(
        f"these results are of protocol {results.protocol}, digest "
        f"{results.protocol_digest[:SHORT]}, which is not kept here; "
        f"{results.protocol} has digest {found.digest[:SHORT]} now: run the benchmark again"
    )


def _not_there(recipe: object) -> NoReturn:
    raise ValueError(f"{recipe} is compared by its images; its model is not loaded")
