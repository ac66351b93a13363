"""A finished run to a bundle."""

import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

from unlearncanvas.core.digests import digest_file
from unlearncanvas.core.files import write_text
from unlearncanvas.core.registry import CONFIG_DIR, names
from unlearncanvas.engine.chunks import Chunk
from unlearncanvas.pipelines.artifacts import Artifact, json_path, read_artifact, read_record
from unlearncanvas.publish.report.collect import LeaderboardRow, collect
from unlearncanvas.publish.report.command import row_config
from unlearncanvas.publish.submissions.bundle import (
    CARD,
    GRID,
    MANIFEST,
    SHEET,
    Card,
    Manifest,
    card_text,
    place_of,
    revision_of,
)
from unlearncanvas.results.schema import (
    Result,
    RunResults,
    read_results,
    write_result,
    write_results,
)

SMALL = 2_000_000
"""Bytes of erased tensors that are put in without being asked for."""
QUALITY = 70


def find_entry(runs: Path, eraser: str, tier: str | None) -> tuple[RunResults, LeaderboardRow]:
    """Return the finished run of an eraser; ``eraser`` is its name, or a label of a report.

    Raises:
        ValueError: If there is none, or several that differ.
    """
    entries = [
        (read_results(entry.source), entry)
        for board in collect([runs]).boards
        for entry in board.entries.values()
        if entry.results
    ]
    found = [(run, entry) for run, entry in entries if tier is None or run.tier == tier]
    chosen = [item for item in found if item[1].label == eraser]
    chosen = chosen or [item for item in found if item[1].eraser == eraser]
    if not chosen:
        raise ValueError(
            f"no finished run of {eraser!r}{f' at tier {tier}' if tier else ''} under {runs}; run "
            f"python -m unlearncanvas.bench --eraser {eraser} first"
        )
    if len(chosen) > 1:
        listed = ", ".join(f"{entry.label!r} in {entry.source.parent}" for _, entry in chosen)
        raise ValueError(
            f"{len(chosen)} runs of {eraser!r}: {listed}; name one of their folders in the place "
            f"of {runs}, or choose with --tier, or with one of these names as --eraser"
        )
    return chosen[0]


def write_bundle(
    root: Path, run: RunResults, entry: LeaderboardRow, card: Card, *, largest: int = SMALL
) -> Path:
    """Write a bundle under a root and return its folder.

    Args:
        root: Of all bundles.
        run: The run.
        entry: Its eraser.
        card: What the people who submit say.
        largest: Bytes of erased tensors, of one target, that are put in.

    Raises:
        ValueError: If a chunk or an artifact of the run is not there any more.
    """
    results = entry.results
    first = next(iter(results.values()))
    jobs = {target: artifact_of(entry.files[target], results[target]) for target in results}
    records = {target: _record(job) for target, job in jobs.items()}
    record = next(iter(records.values()))
    revision = revision_of(record)
    folder = root / run.protocol / first.eraser / revision
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    included = [
        target
        for target, result in results.items()
        if _put_target(folder, target, result, entry, jobs[target], largest=largest)
    ]
    rows = tuple(row.model_copy(update={"label": first.eraser}) for row in entry.rows.values())
    paths = tuple(
        (place_of(folder, target) / "result.json").relative_to(folder).as_posix()
        for target in results
    )
    config = row_config(run, next(iter(entry.rows.values())).label, first)
    own = {"rows": rows, "results": paths, "root": ".", "config": config}
    write_results(folder, run.model_copy(update=own))
    write_text(folder / CARD, card_text(card))
    manifest = Manifest(
        protocol=run.protocol,
        protocol_digest=run.protocol_digest,
        base_digest=run.base_digest,
        tier=run.tier,
        eraser=first.eraser,
        revision=revision,
        settings=first.settings,
        source_digest=record.source_digest,
        method=str(record.identity["method"]),
        version=record.version,
        config=_config(first.eraser),
        seeds=run.seeds,
        targets=tuple(results),
        artifacts=tuple(included),
        files=file_digests(folder),
    )
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    return folder


def file_digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file under a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): digest_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def artifact_of(file: Path, result: Result) -> Path:
    """Return the folder of the erased model that a result says it is about.

    Raises:
        ValueError: If it names none.
    """
    if result.artifact is None:
        raise ValueError(
            f"{file} does not say where its erased model is: images that were drawn elsewhere, or "
            "a file of an older version; run the same bench command again"
        )
    return _from(file, result.artifact)


def chunks_of(file: Path, result: Result) -> list[Chunk]:
    """Return the chunks that a result says it was computed from, all whole.

    Raises:
        ValueError: If it names none, or one is damaged or not there any more.
    """
    if not result.chunks:
        raise ValueError(
            f"{file} does not name the images that it was computed from, as files of older "
            "versions; run the same bench command again"
        )
    chunks = []
    for path in (_from(file, name) for name in result.chunks):
        chunk = Chunk.at(path)
        if chunk is None:
            raise ValueError(f"{path} is damaged or not there any more; run the benchmark again")
        chunks.append(chunk)
    return chunks


def _from(file: Path, name: str) -> Path:
    """A path that is written in a file, relative to it."""
    return Path(os.path.normpath(file.parent / name))


def _record(job: Path) -> Artifact:
    record = read_record(job)
    if record is None:
        raise ValueError(f"{job} holds no artifact.json any more; run the benchmark again")
    return record


def _put_target(
    folder: Path, target: str, result: Result, entry: LeaderboardRow, job: Path, *, largest: int
) -> bool:
    """Put everything about one target into the bundle; return whether its tensors are in it."""
    place = place_of(folder, target)
    place.mkdir(parents=True)
    chunks = {chunk.seed: chunk for chunk in chunks_of(entry.files[target], result)}
    names = {seed: f"seed{seed}.parquet" for seed in result.seeds}
    update = {"artifact": ".", "chunks": tuple(names.values())}
    write_result(place, result.model_copy(update=update))
    shutil.copyfile(json_path(job), place / "artifact.json")
    for seed, name in names.items():
        pq.write_table(chunks[seed].read(), place / name, compression="zstd")
    picture = chunks[result.seeds[0]].picture_path
    if picture.is_file():
        _shrink(picture, place / GRID)
    if target in entry.sheets:
        _shrink(entry.sheets[target], place / SHEET)
    tensors = job / "erased.safetensors"
    there = tensors.is_file() and tensors.stat().st_size <= largest
    if there:
        read_artifact(job)  # torn ones stay here
        shutil.copyfile(tensors, place / tensors.name)
    return there


def _shrink(picture: Path, place: Path) -> None:
    with Image.open(picture) as image:
        image.convert("RGB").save(place, quality=QUALITY)


def _config(eraser: str) -> str:
    if eraser not in names("erasers"):
        return ""
    return (CONFIG_DIR / "erasers" / f"{eraser}.yaml").read_text(encoding="utf-8")
