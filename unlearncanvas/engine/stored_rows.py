"""The images of finished rows, as their evaluation scores them: no model is made or loaded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

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
from unlearncanvas.results.schema import Results, Row

EARLIER = CONFIG_DIR / "earlier"
"""Protocols that have changed, by name and digest: their results are still read and compared."""


@dataclass(frozen=True, kw_only=True)
class StoredChunk(Chunk):
    """A chunk in a file of any name.

    Attributes:
        file: The parquet file.
    """

    file: Path

    @property
    def path(self) -> Path:
        """The parquet file."""
        return self.file


def per_image(path: Path, results: Results, row: Row) -> Mapping[str, PerImage]:
    """Return the values of single images that a row is compared by, by score.

    Args:
        path: The result file.
        results: Its content.
        row: One of its rows.

    Raises:
        ValueError: If images of the row are not there any more, or its evaluation is not.
    """
    evaluation = evaluation_of_results(results)
    every = evaluation.jobs()
    jobs = [job for job in every if dict(job.group) == row.group]
    if not jobs:
        raise ValueError(f"{path} holds rows of {row.group}, its protocol none; name that run's")
    chosen = jobs[-1]

    def find(job: Job) -> Drawn:
        found = row if job is chosen else _row_of(job, results, path)
        drawn: dict[str, list[Unit]] = {}
        for unit in _units(path, found, job):
            drawn.setdefault(unit.image_set.name, []).append(unit)
        return {name: DrawnSet(units) for name, units in drawn.items()}

    base = {job.label for job in every if job.is_base}
    scoring = Scoring(
        reference=None,
        device=torch.device("cpu"),
        find=find,
        artifact=_not_there,
        model_digest=_not_there,
        has_base=any(other.label in base for other in results.rows),
    )
    return evaluation.score(chosen, scoring).per_image


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
    earlier = EARLIER / f"{results.protocol}-{results.protocol_digest[:SHORT]}.yaml"
    if known and earlier.is_file():
        options = {**options, "protocol": str(earlier)}
    left_out = ("erasers", "settings", "erase_seeds", "device")
    kept = {name: value for name, value in options.items() if name not in left_out}
    return evaluation_of(RunConfig.model_validate({**kept, "erasers": ["none"], "device": "cpu"}))


def _row_of(job: Job, results: Results, path: Path) -> Row:
    for row in results.rows:
        if (row.label, row.group) == (job.label, dict(job.group)):
            return row
    raise ValueError(f"{path} holds no row of {job.label!r}, which others are scored with")


def _units(path: Path, row: Row, job: Job) -> Iterator[Unit]:
    """The chunks of a row, which are named in the order in which its image sets are drawn."""
    planned = [(item, seeds) for item in job.image_sets for seeds in item.groups()]
    if len(row.chunks) != len(planned):
        raise ValueError(
            f"{path}: {row.label} names {len(row.chunks)} files of images in place of "
            f"{len(planned)}; run the same bench command again"
        )
    for name, (image_set, seeds) in zip(row.chunks, planned, strict=True):
        file = path.parent / name
        sealed = file.with_suffix(".json").exists()
        if not file.is_file() or (sealed and Chunk.at(file) is None):
            raise ValueError(f"{file} is damaged or not there any more; run the benchmark again")
        chunk = StoredChunk(folder=file.parent, seed=seeds[0], key="", file=file)
        yield Unit(chunk, image_set, seeds)


def _not_there(recipe: object) -> NoReturn:
    raise ValueError(f"{recipe} is compared by its images; its model is not loaded")
