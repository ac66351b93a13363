"""Whether the files of a bundle are those that it says, of a protocol that is here."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from unlearncanvas.canvases.sources import SHIPPED
from unlearncanvas.core.digests import digest_file
from unlearncanvas.publish.submissions.bundle import (
    CARD,
    MANIFEST,
    VERIFIED,
    Manifest,
    read_card,
    read_manifest,
)
from unlearncanvas.publish.submissions.contents import jobs_of, target_of
from unlearncanvas.publish.submissions.reasons import some
from unlearncanvas.publish.submissions.recorded import evaluation_of_bundle

SUFFIXES = {".json", ".yaml", ".parquet", ".webp", ".safetensors"}
MAX_FILES, MAX_FILE, MAX_BUNDLE = 5_000, 2_000_000_000, 20_000_000_000
"""Files, bytes of one, bytes of all. Whole UNets are larger: their digests do."""
MAX_TEXT = 20_000_000
"""Bytes of a JSON or YAML file."""


def broken_seal(folder: Path, protocol: str | None = None) -> list[str]:
    """Return the reasons that need no look at predictions: files, digests, protocol, card.

    Args:
        folder: The bundle.
        protocol: File of the protocol, for one that is not of this package.
    """
    for check in (_safe_files, partial(_manifest_fits, protocol=protocol), _card_fits):
        reasons = list(check(folder))
        if reasons:
            return reasons
    return []


def _safe_files(folder: Path) -> Iterator[str]:
    """Nothing but plain data files, none too large."""
    if not (folder / MANIFEST).is_file():
        yield f"there is no {MANIFEST} in {folder}; make a bundle with: unlearncanvas submit"
        return
    total, count = 0, 0
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield f"{name} is a link; bundles hold files"
        elif path.is_file():
            total, count = total + path.stat().st_size, count + 1
            if path.suffix not in SUFFIXES:
                yield f"{name} is not data: expected {', '.join(sorted(SUFFIXES))}"
            limit = MAX_TEXT if path.suffix in (".json", ".yaml") else MAX_FILE
            if path.stat().st_size > limit:
                yield f"{name} is {path.stat().st_size:,} bytes, at most {limit:,} are taken"
        elif not path.is_dir():
            yield f"{name} is no plain file"
    if count > MAX_FILES or total > MAX_BUNDLE:
        yield f"{count} files of {total:,} bytes; at most {MAX_FILES} of {MAX_BUNDLE:,} are taken"


def _manifest_fits(folder: Path, protocol: str | None) -> Iterator[str]:
    """The files are those that the manifest names, to the byte."""
    try:
        manifest = read_manifest(folder)
    except ValueError as exc:
        yield str(exc)
        return
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    there -= {MANIFEST, VERIFIED}
    named = set(manifest.files)
    for name in sorted(named):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            yield f"{MANIFEST}: {name!r} leaves the bundle"
    yield from some("is named in bundle.json and not there", sorted(named - there))
    yield from some("is there and not named in bundle.json", sorted(there - named))
    changed = [
        name for name in sorted(there & named) if digest_file(folder / name) != manifest.files[name]
    ]
    yield from some("is not the file that bundle.json names: its sha256 is another", changed)
    yield from _protocol_fits(manifest, protocol)


def _protocol_fits(manifest: Manifest, protocol: str | None) -> Iterator[str]:
    """The bundle has all targets and seeds of a tier, drawn as the protocol says."""
    try:
        evaluation = evaluation_of_bundle(manifest, SHIPPED, protocol=protocol)
    except ValueError as exc:
        yield str(exc)
        return
    if (evaluation.kind, evaluation.name) != (manifest.evaluation, manifest.protocol):
        yield (
            f"the bundle is of {manifest.evaluation} {manifest.protocol}, the protocol's file of "
            f"{evaluation.kind} {evaluation.name}"
        )
    if evaluation.digest != manifest.protocol_digest:
        yield (
            f"protocol {manifest.protocol} has digest {evaluation.digest[:12]}, the bundle is of "
            f"{manifest.protocol_digest[:12]}: another version, precision or batch size"
        )
    wanted = set(map(target_of, jobs_of(evaluation, manifest.eraser)[0]))
    yield from some("is a target of the tier and missing", sorted(wanted - set(manifest.targets)))
    yield from some("is no target of the tier", sorted(set(manifest.targets) - wanted))
    if manifest.seeds != evaluation.seeds:
        yield f"the tier has seeds {evaluation.seeds}, the bundle {manifest.seeds}"


def _card_fits(folder: Path) -> Iterator[str]:
    try:
        read_card(folder / CARD)
    except ValueError as exc:
        yield f"{CARD}: {exc}"
