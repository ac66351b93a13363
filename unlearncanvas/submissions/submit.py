"""A finished run to a bundle."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

from unlearncanvas.chunks import Chunk, Seal
from unlearncanvas.config import CONFIG_DIR, names
from unlearncanvas.digest import digest_file
from unlearncanvas.files import write_text
from unlearncanvas.models import Artefact, read_record
from unlearncanvas.results import RunResults, read_results, write_result, write_results
from unlearncanvas.site.collect import Entry, collect
from unlearncanvas.submissions.bundle import (
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
from unlearncanvas.types import Result

SMALL = 2_000_000
"""Bytes of erased tensors that are put in without being asked for."""
QUALITY = 70


def find_entry(runs: Path, eraser: str, tier: str | None) -> tuple[RunResults, Entry]:
    """Return the newest finished run of an eraser.

    Raises:
        ValueError: If there is none, or several that differ.
    """
    found = [
        (board.run, entry)
        for board in collect([runs]).boards
        for entry in board.entries.values()
        if entry.label.split(",")[0].split()[0] == eraser and entry.results
    ]
    chosen = [
        (read_results(entry.source), entry)
        for _, entry in found
        if tier is None or read_results(entry.source).tier == tier
    ]
    if not chosen:
        raise ValueError(
            f"no finished run of {eraser!r}{f' at tier {tier}' if tier else ''} under {runs}; run "
            f"python -m unlearncanvas.bench --eraser {eraser} first"
        )
    if len(chosen) > 1:
        listed = ", ".join(f"{entry.label} ({entry.source.parent})" for _, entry in chosen)
        raise ValueError(f"several runs of {eraser!r}: {listed}; name one folder, or --tier")
    return chosen[0]


def write_bundle(
    root: Path, run: RunResults, entry: Entry, card: Card, *, largest: int = SMALL
) -> Path:
    """Write a bundle under a root and return its folder.

    Args:
        root: Of all bundles.
        run: The run.
        entry: Its eraser.
        card: What the people who submit say.
        largest: Bytes of erased tensors, of one target, that are put in.

    Raises:
        ValueError: If a chunk or an artefact of the run is not there any more.
    """
    results = entry.results
    first = next(iter(results.values()))
    jobs = {target: job_folder(entry.files[target]) for target in results}
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
        (place_of(folder, target) / "result.json").relative_to(root).as_posix()
        for target in results
    )
    write_results(folder, run.model_copy(update={"rows": rows, "results": paths}))
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
        artefacts=tuple(included),
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


def job_folder(result_file: Path) -> Path:
    """Return the folder of the erased model that a result is about."""
    own = result_file.parents[2] / result_file.parent.name
    return own if own.is_dir() else result_file.parents[2] / "all"


def _record(job: Path) -> Artefact:
    record = read_record(job)
    if record is None:
        raise ValueError(f"{job} holds no artefact.json any more; run the benchmark again")
    return record


def _put_target(
    folder: Path, target: str, result: Result, entry: Entry, job: Path, *, largest: int
) -> bool:
    """Put everything about one target into the bundle; return whether its tensors are in it."""
    place = place_of(folder, target)
    place.mkdir(parents=True)
    write_result(place, result)
    shutil.copyfile(job / "artefact.json", place / "artefact.json")
    for seed in result.seeds:
        chunk = find_chunk(job, seed, result)
        pq.write_table(chunk.read(), place / f"seed{seed}.parquet", compression="zstd")
        picture = chunk.path.with_suffix(".webp")
        if seed == result.seeds[0] and picture.is_file():
            _shrink(picture, place / GRID)
    if target in entry.sheets:
        _shrink(entry.sheets[target], place / SHEET)
    tensors = job / "erased.safetensors"
    there = tensors.is_file() and tensors.stat().st_size <= largest
    if there:
        shutil.copyfile(tensors, place / tensors.name)
    return there


def find_chunk(job: Path, seed: int, result: Result) -> Chunk:
    """Return the chunk that a result was computed from: whole, and of as many images.

    Raises:
        ValueError: If it is not there any more.
    """
    found = []
    for path in (job / "chunks").glob(f"seed{seed}-*.json"):
        try:
            seal = Seal.model_validate(json.loads(path.read_text()))
        except ValueError:
            continue
        chunk = Chunk(folder=path.parent, seed=seed, key=seal.key)
        if chunk.seal() is not None and seal.num_images * len(result.seeds) == result.num_images:
            found.append((path.stat().st_mtime, chunk))
    if not found:
        raise ValueError(f"{job} holds no images of seed {seed} any more; run the benchmark again")
    return max(found, key=lambda item: item[0])[1]


def _shrink(picture: Path, place: Path) -> None:
    with Image.open(picture) as image:
        image.convert("RGB").save(place, quality=QUALITY)


def _config(eraser: str) -> str:
    if eraser not in names("erasers"):
        return ""
    return (CONFIG_DIR / "erasers" / f"{eraser}.yaml").read_text()
