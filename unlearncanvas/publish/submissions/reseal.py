"""Score a bundle again with today's metrics and seal it again; its predictions are not touched."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from metrics.base import Score
from unlearncanvas.canvases.sources import Sources
from unlearncanvas.core.digests import digest_file
from unlearncanvas.core.files import write_text
from unlearncanvas.core.json_file import read_json
from unlearncanvas.evaluations.grid.scores import concept_accuracy, floors, target_scores
from unlearncanvas.pipelines.artifacts import Artifact, json_path
from unlearncanvas.publish.submissions.bundle import (
    MANIFEST,
    RESULTS,
    VERIFIED,
    Manifest,
    evidence_digest,
    place_of,
    read_manifest,
    revision_of,
    valid_verification,
)
from unlearncanvas.publish.submissions.submit import file_digests
from unlearncanvas.publish.submissions.validate import (
    broken_seal,
    compares,
    open_rules,
    predictions_of,
)
from unlearncanvas.results.aggregate import mean_rows
from unlearncanvas.results.schema import Result, Row, read_results, write_result, write_results
from unlearncanvas.types import Concept


class Change(NamedTuple):
    """A mean score that is another one now, ``style fid``, or that is new."""

    name: str
    old: Score | None
    new: Score


class Resealed(NamedTuple):
    """What became of a bundle: where it is, what changed, whether it is still verified."""

    folder: Path
    changes: list[Change]
    verified: bool


def reseal(folder: Path, sources: Sources) -> Resealed:
    """Score a bundle again, write it to the folder of its revision, and remove the old folder.

    Pictures, predictions, artifacts and the card are copied byte for byte. So a verification,
    which rests on those, is kept, if it is one of the bundle as it was sealed.

    Raises:
        ValueError: If the bundle is not as it was sealed, or its new folder is another bundle's.
    """
    reasons = broken_seal(folder)
    if reasons:
        raise ValueError(f"{folder} is not as it was sealed, nothing was changed: {reasons[0]}")
    manifest = read_manifest(folder)
    record = read_json(Artifact, json_path(place_of(folder, manifest.targets[0])))
    place = folder.with_name(revision_of(record))
    if place != folder and place.exists():
        raise ValueError(f"{folder} and {place} are of one method; remove the older one")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(folder, partial, ignore=shutil.ignore_patterns(MANIFEST, VERIFIED))
    sealed = manifest.model_copy(
        update={
            "revision": place.name,
            "method": record.identity["method"],
            "version": record.version,
        }
    )
    changes = _score_again(partial, sealed, sources)
    sealed = sealed.model_copy(update={"files": file_digests(partial)})
    write_text(partial / MANIFEST, sealed.model_dump_json(indent=2) + "\n")
    verified = _keep_verification(folder, partial)
    shutil.rmtree(folder)
    partial.rename(place)
    return Resealed(place, changes, verified)


def _score_again(folder: Path, manifest: Manifest, sources: Sources) -> list[Change]:
    """Write scores, means and floors of a bundle's predictions; return the means that changed."""
    rules, real = open_rules(manifest, folder, sources)
    reference = None if real is None else real.real(len(manifest.seeds))
    results = []
    for name in manifest.targets:
        place = place_of(folder, name)
        predictions = predictions_of(place, manifest, rules)
        result = read_json(Result, place / "result.json")
        scores = target_scores(rules, predictions, Concept.parse(name), reference)
        if reference is None:  # what compares with real images stays as it was
            kept = {key: value for key, value in result.scores.items() if compares(key)}
            scores |= kept
        concepts = concept_accuracy(rules, predictions)
        result = result.model_copy(update={"scores": scores, "concept_accuracy": concepts})
        write_result(place, result)
        results.append(result)
    summary = read_results(folder / RESULTS)
    rows = mean_rows(results)
    paths = [(place_of(Path(), name) / "result.json").as_posix() for name in manifest.targets]
    found = {} if real is None else floors(rules, real, len(manifest.seeds))
    update = {"rows": rows, "results": tuple(paths), "root": ".", "floors": summary.floors | found}
    write_results(folder, summary.model_copy(update=update))
    return _changes(summary.rows, rows)


def _changes(old: Sequence[Row], new: Sequence[Row]) -> list[Change]:
    before = {f"{row.kind} {name}": score for row in old for name, score in row.scores.items()}
    after = {f"{row.kind} {name}": score for row in new for name, score in row.scores.items()}
    return [
        Change(name, before.get(name), score)
        for name, score in after.items()
        if before.get(name) != score
    ]


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
