"""Rows of results: scores and cost of a job; paired comparisons of rows."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from metrics.paired import paired_scores
from metrics.per_image import PerImage
from unlearncanvas.engine.chunks import ChunkMetadata, ufe_per_image
from unlearncanvas.engine.job import Job, Scored
from unlearncanvas.pipelines.artifacts import Artifact
from unlearncanvas.results.schema import Comparison, Row


def row_of(
    job: Job,
    scored: Scored,
    metadata: Sequence[ChunkMetadata],
    *,
    artifact: Artifact | None,
    folder: str | None,
    chunks: Sequence[str],
) -> Row:
    """Return the row of a job.

    Args:
        job: The job.
        scored: Its scores.
        metadata: Of its chunks.
        artifact: Provenance of the last step of its model; None for the base model.
        folder: Folder of the artifact, relative to the results.
        chunks: Files of its chunks, likewise.
    """
    steps = job.recipe.steps
    images = sum(item.num_images for item in metadata)
    return Row(
        label=job.label,
        role=job.role,
        group=dict(job.group),
        eraser=steps[-1].method.name if steps else "",
        settings=steps[-1].method.settings if steps else {},
        erase_seed=steps[-1].task.seed if steps else None,
        num_images=images,
        scores=scored.scores,
        details=dict(scored.details),
        cost=None if artifact is None else artifact.cost,
        seconds_per_image=sum(item.seconds for item in metadata) / images,
        ufe_per_image=ufe_per_image(metadata),
        artifact_digest="" if artifact is None else artifact.digest,
        artifact=folder,
        chunks=tuple(chunks),
    )


def relative(path: Path, start: Path) -> str:
    """Return a path as it is written in a result file that lies in ``start``."""
    return Path(os.path.relpath(path, start)).as_posix()


def compared(values: Sequence[tuple[Row, Mapping[str, PerImage]]]) -> Iterator[Comparison]:
    """Yield the differences of every two rows of a group on the same images, score by score.

    Args:
        values: Rows of one group or several, each with the values that it is compared by.
    """
    for (one, first), (two, second) in combinations(values, 2):
        for name in filter(second.__contains__, first) if one.group == two.group else ():
            found = paired_scores(first[name], second[name])
            yield Comparison(
                group=one.group,
                score=name,
                first=one.label,
                second=two.label,
                difference=found.value,
                low=found.interval.low,
                high=found.interval.high,
                p_value=found.p_value,
                unit=one.scores[name].unit,
            )
