"""Score a bundle again with today's metrics and seal it again; its predictions are not touched."""

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from metrics.base import Score
from unlearncanvas.canvases.sources import Sources
from unlearncanvas.core.digests import digest_file
from unlearncanvas.core.files import write_text
from unlearncanvas.engine.job import Job
from unlearncanvas.publish.submissions.bundle import (
    MANIFEST,
    RESULTS,
    VERIFIED,
    evidence_digest,
    read_manifest,
    revision_of,
    valid_verification,
)
from unlearncanvas.publish.submissions.contents import Contents, contents_of, key_of, target_of
from unlearncanvas.publish.submissions.reasons import is_optional
from unlearncanvas.publish.submissions.seal import broken_seal
from unlearncanvas.publish.submissions.submit import file_digests
from unlearncanvas.results.schema import Results, Row, write_results


class Change(NamedTuple):
    """A score that is another one now, ``style fid``, or that is new."""

    name: str
    old: Score | None
    new: Score


class Resealed(NamedTuple):
    """What became of a bundle: where it is, what changed, whether it is still verified."""

    folder: Path
    changes: list[Change]
    verified: bool


def reseal(folder: Path, sources: Sources, *, protocol: str | None = None) -> Resealed:
    """Score a bundle again, write it to the folder of its revision, and remove the old folder.

    Pictures, predictions, artifacts and the card are copied byte for byte. So a verification,
    which rests on those, is kept, if it is one of the bundle as it was sealed.

    Args:
        folder: The bundle.
        sources: Where detectors and real images are.
        protocol: File of the protocol, for one that is not of this package.

    Raises:
        ValueError: If the bundle is not as it was sealed, or its new folder is another bundle's.
    """
    reasons = broken_seal(folder, protocol)
    if reasons:
        raise ValueError(f"{folder} is not as it was sealed, nothing was changed: {reasons[0]}")
    contents = contents_of(folder, sources, protocol=protocol)
    manifest = contents.manifest
    record = contents.record(contents.place(contents.tested[0]))
    place = folder.with_name(revision_of(record, manifest.options))
    if place != folder and place.exists():
        raise ValueError(f"{folder} and {place} are of one method; remove the older one")
    before = contents.results()
    after = scored_again(contents, before)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(folder, partial, ignore=shutil.ignore_patterns(MANIFEST, VERIFIED))
    _write_scores(partial, contents, after)
    update = {
        "revision": place.name,
        "method": record.identity["method"],
        "version": record.version,
        "files": file_digests(partial),
    }
    sealed = manifest.model_copy(update=update)
    write_text(partial / MANIFEST, sealed.model_dump_json(indent=2) + "\n")
    verified = _keep_verification(folder, partial)
    shutil.rmtree(folder)
    partial.rename(place)
    return Resealed(place, list(_changes(before, after)), verified)


def scored_again(contents: Contents, results: Results) -> Results:
    """Return the results of a bundle with the scores that its predictions have today."""
    evaluation, scoring = contents.evaluation, contents.scoring()
    old, rows = {key_of(row): row for row in results.rows}, []
    for job in contents.jobs:
        row, scored = old[key_of(job)], evaluation.score(job, scoring)
        # what needs something that is not here stays as it was
        kept = {name: row.scores[name] for name in row.scores if is_optional(name)}
        scores = {"scores": kept | scored.scores, "details": dict(scored.details)}
        rows.append(row.model_copy(update=scores))
    real = results.real_vs_real | evaluation.real_vs_real(scoring)
    update = {
        "rows": tuple(rows),
        "means": evaluation.means(rows),
        "notes": evaluation.notes(rows, scoring),
        "real_vs_real": real,
    }
    return results.model_copy(update=update)


def _write_scores(folder: Path, contents: Contents, results: Results) -> None:
    """Write the scores into a copy of a bundle, in the form that it has."""
    if contents.manifest.schema_version == 2:
        write_results(folder, results)
        return
    files = {}
    for row in results.rows:
        file = folder / contents.relative(contents.place(_job(contents, row))) / "result.json"
        files[target_of(row)] = file.relative_to(folder).as_posix()
        _update(file, scores=_plain(row.scores), concept_accuracy=_plain(row.details))
    _update(
        folder / RESULTS,
        rows=[mean.model_dump(mode="json") for mean in results.means],
        floors=_plain(results.real_vs_real),
        results=list(files.values()),
        root=".",
    )


def _job(contents: Contents, row: Row) -> Job:
    return next(job for job in contents.jobs if key_of(job) == key_of(row))


def _update(path: Path, **values: object) -> None:
    """Change keys of a JSON file."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    write_text(path, json.dumps(content | values, indent=2, ensure_ascii=False) + "\n")


def _plain(scores: Mapping[str, Score]) -> dict[str, object]:
    return {name: score.model_dump(mode="json") for name, score in scores.items()}


def _changes(before: Results, after: Results) -> Iterator[Change]:
    """The scores that differ: means where an evaluation has any, else those of single rows."""
    old, new = _named(before), _named(after)
    for name, score in new.items():
        if old.get(name) != score:
            yield Change(name, old.get(name), score)


def _named(results: Results) -> dict[str, Score]:
    rows: list[tuple[str, Mapping[str, Score]]] = [
        (f"{mean.label} {mean.kind}", mean.scores) for mean in results.means
    ] or [(f"{row.label} {target_of(row)}", row.scores) for row in results.rows]
    return {f"{what} {name}": score for what, scores in rows for name, score in scores.items()}


def _keep_verification(folder: Path, resealed: Path) -> bool:
    """Put the verification of a bundle beside its new seal, unless it is not one of this bundle."""
    found, evidence = valid_verification(folder), evidence_digest(read_manifest(resealed))
    if found is None or evidence != evidence_digest(read_manifest(folder)):
        return False
    kept = found.model_copy(
        update={
            "manifest_digest": digest_file(resealed / MANIFEST),
            "evidence_digest": evidence,
            "resealed": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    write_text(resealed / VERIFIED, kept.model_dump_json(indent=2) + "\n")
    return True
