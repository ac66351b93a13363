"""A finished run to a bundle."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
from PIL import Image

from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.sources import SHIPPED
from unlearncanvas.core.digests import digest_file
from unlearncanvas.core.files import write_text
from unlearncanvas.core.registry import CONFIG_DIR, names
from unlearncanvas.engine.chunks import Chunk
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.job import Job
from unlearncanvas.pipelines.artifacts import Artifact, json_path, read_artifact, read_record
from unlearncanvas.publish.report.command import row_config
from unlearncanvas.publish.submissions.bundle import (
    CARD,
    GRID,
    MANIFEST,
    SHEET,
    Card,
    Manifest,
    card_text,
    revision_of,
)
from unlearncanvas.publish.submissions.contents import Contents, key_of, target_of
from unlearncanvas.publish.submissions.finished import Finished
from unlearncanvas.publish.submissions.recorded import FREE, evaluation_of_bundle
from unlearncanvas.results.schema import Picture, Row, write_results

SMALL = 2_000_000
"""Bytes of erased tensors that are put in without being asked for."""
QUALITY = 70


def write_bundle(root: Path, run: Finished, card: Card, *, largest: int = SMALL) -> Path:
    """Write a bundle under a root and return its folder.

    Args:
        root: Of all bundles.
        run: The rows to put in.
        card: What the people who submit say.
        largest: Bytes of erased tensors, of one model, that are put in.

    Raises:
        ValueError: If a chunk or an artifact of the run is not there any more.
    """
    manifest, evaluation = _manifest(run)
    folder = root / manifest.protocol / manifest.eraser / manifest.revision
    contents = Contents(
        folder=folder,
        manifest=manifest,
        evaluation=evaluation,
        detectors=load_detectors(evaluation.grid.detectors, evaluation.grid.extractors()),
        sources=SHIPPED,
    )
    sources = {key_of(job): _source(run, contents, job) for job in contents.jobs}
    if folder.exists():
        shutil.rmtree(folder)
    rows: list[Row] = []
    pictures: list[Picture] = []
    for job in contents.jobs:
        source = sources[key_of(job)]
        rows.append(_put_row(contents, job, source, largest=largest))
        pictures += _put_pictures(contents, job, source, run)
    write_text(folder / CARD, card_text(card))
    _write_results(contents, run, rows, pictures)
    tensors = [
        target_of(job)
        for job in contents.tested
        if (contents.place(job) / "erased.safetensors").is_file()
    ]
    update = {"artifacts": tuple(tensors), "files": file_digests(folder)}
    sealed = manifest.model_copy(update=update)
    write_text(folder / MANIFEST, sealed.model_dump_json(indent=2) + "\n")
    return folder


def file_digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file under a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): digest_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _manifest(run: Finished) -> tuple[Manifest, Evaluation]:
    """What a bundle is of, without its files; and its evaluation."""
    results, first = run.results, run.rows[0]
    record, config = _record(run, first), results.config or {}
    options = {name: value for name, value in config.items() if name in FREE}
    if len(options.get("erase_seeds", ())) > 1:
        options["erase_seeds"] = [first.erase_seed]
    manifest = Manifest(
        evaluation=results.evaluation,
        protocol=results.protocol,
        protocol_digest=results.protocol_digest,
        base_digest=results.base_digest,
        tier=results.tier,
        eraser=first.eraser,
        revision=revision_of(record, options),
        settings=first.settings,
        source_digest=record.source_digest,
        method=str(record.identity["method"]),
        version=record.version,
        config=_config(first.eraser),
        options=options,
        seeds=results.seeds,
        targets=tuple(map(target_of, run.rows)),
        artifacts=(),
        files={},
    )
    return manifest, evaluation_of_bundle(manifest, SHIPPED, protocol=run.protocol_file)


class _Source(NamedTuple):
    """Where the files of one row are in the run."""

    row: Row
    artifact: Path | None
    chunks: list[Chunk]


def _source(run: Finished, contents: Contents, job: Job) -> _Source:
    """The files of a job's row, all of them whole."""
    label = run.label if job.label == contents.manifest.eraser else job.label
    key = (label, key_of(job)[1])
    row = next((row for row in run.results.rows if key_of(row) == key), None)
    if row is None:
        raise ValueError(
            f"{run.path} has no row of {label} on {target_of(job)}, which a bundle of tier "
            f"{run.results.tier} holds; run the benchmark without --targets and --seeds"
        )
    wanted = list(contents.chunks(job))
    if len(row.chunks) != len(wanted):
        raise ValueError(
            f"{run.path} names {len(row.chunks)} files of images of {label} on {target_of(job)}, "
            f"the protocol has {len(wanted)}: images that were drawn elsewhere or in another way, "
            "or a file of an older version; run the benchmark again"
        )
    chunks = [_whole(_from(run, name)) for name in row.chunks]
    folder = None if row.artifact is None else _from(run, row.artifact)
    if folder is not None:
        _record(run, row)
    return _Source(row, folder, chunks)


def _whole(path: Path) -> Chunk:
    chunk = Chunk.at(path)
    if chunk is None:
        raise ValueError(f"{path} is damaged or not there any more; run the benchmark again")
    return chunk


def _from(run: Finished, name: str) -> Path:
    """A path that is written in a run's file, relative to it."""
    return Path(os.path.normpath(run.path.parent / name))


def _record(run: Finished, row: Row) -> Artifact:
    """What made the model of a row."""
    if row.artifact is None:
        raise ValueError(
            f"{run.path} does not say where the erased model of {row.label} is: images that were "
            "drawn elsewhere, or a file of an older version; run the same bench command again"
        )
    folder = _from(run, row.artifact)
    record = read_record(folder)
    if record is None:
        raise ValueError(f"{folder} holds no artifact.json any more; run the benchmark again")
    return record


def _put_row(contents: Contents, job: Job, source: _Source, *, largest: int) -> Row:
    """Put everything about one row into the bundle; return the row as it says that."""
    place, names_there = contents.place(job), []
    place.mkdir(parents=True)
    for chunk, there in zip(source.chunks, contents.chunks(job), strict=True):
        pq.write_table(chunk.read(), there.path, compression="zstd")
        names_there.append(contents.relative(there.path))
    if source.artifact is not None:
        shutil.copyfile(json_path(source.artifact), place / "artifact.json")
        tensors = source.artifact / "erased.safetensors"
        if tensors.is_file() and tensors.stat().st_size <= largest:
            read_artifact(source.artifact)  # torn ones stay here
            shutil.copyfile(tensors, place / tensors.name)
    update = {
        "label": job.label,
        "artifact": None if source.artifact is None else contents.relative(place),
        "chunks": tuple(names_there),
    }
    return source.row.model_copy(update=update)


def _put_pictures(
    contents: Contents, job: Job, source: _Source, run: Finished
) -> Iterator[Picture]:
    """Put the small picture of a row's first chunk into the bundle, and its sheet."""
    place = contents.place(job)
    if source.chunks[0].picture_path.is_file():
        _shrink(source.chunks[0].picture_path, place / GRID)
    for picture in run.results.pictures:
        if picture.name != "sheet" or picture.group != source.row.group:
            continue
        if picture.label == source.row.label or (picture.label is None and job in contents.tested):
            _shrink(_from(run, picture.path), place / SHEET)
            path = contents.relative(place / SHEET)
            yield picture.model_copy(update={"path": path, "label": job.label})


def _write_results(
    contents: Contents, run: Finished, rows: Sequence[Row], pictures: Sequence[Picture]
) -> None:
    """Write the results of a bundle's rows; what is said of several is computed from them."""
    scoring, config = contents.scoring(), row_config(run.results, run.label, run.rows)
    update = {
        "rows": tuple(rows),
        "means": contents.evaluation.means(rows),
        "comparisons": (),
        "pictures": tuple(pictures),
        "notes": contents.evaluation.notes(rows, scoring),
        "config": None if config is None else config.computed().model_dump(mode="json"),
    }
    write_results(contents.folder, run.results.model_copy(update=update))


def _shrink(picture: Path, place: Path) -> None:
    with Image.open(picture) as image:
        image.convert("RGB").save(place, quality=QUALITY)


def _config(eraser: str) -> str:
    if eraser not in names("erasers"):
        return ""
    return (CONFIG_DIR / "erasers" / f"{eraser}.yaml").read_text(encoding="utf-8")
