"""Whether a bundle says what its own predictions say."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image

from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.engine.editing import task_json
from unlearncanvas.engine.job import Job
from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.engine.scoring import Scoring
from unlearncanvas.pipelines.artifacts import Artifact
from unlearncanvas.publish.submissions.bundle import RESULTS, revision_of
from unlearncanvas.publish.submissions.contents import Contents, contents_of, key_of, target_of
from unlearncanvas.publish.submissions.reasons import differing, scores_differ, some
from unlearncanvas.publish.submissions.seal import broken_seal
from unlearncanvas.results.schema import Results, Row


def reasons_against(
    folder: Path, sources: Sources = SHIPPED, *, protocol: str | None = None
) -> list[str]:
    """Return every reason to refuse a bundle; none if it is fine.

    Later checks need what earlier ones make sure of, so that a bundle whose files are not what it
    says is not read any further.

    Args:
        folder: The bundle.
        sources: Where detectors and real images are.
        protocol: File of the protocol, for one that is not of this package.
    """
    reasons = broken_seal(folder, protocol)
    if reasons:
        return reasons
    try:
        contents = contents_of(folder, sources, protocol=protocol)
        results = contents.results()
    except ValueError as exc:
        return [str(exc)]
    return [*_results_fit(contents, results), *_pictures_open(contents)]


def _results_fit(contents: Contents, results: Results) -> Iterator[str]:
    """The scores are those of the predictions, the means those of the scores."""
    manifest, rows = contents.manifest, {key_of(row): row for row in results.rows}
    said = {
        "evaluation": (results.evaluation, manifest.evaluation),
        "protocol": (results.protocol, manifest.protocol),
        "protocol digest": (results.protocol_digest, manifest.protocol_digest),
        "base digest": (results.base_digest, manifest.base_digest),
        "tier": (results.tier, manifest.tier),
        "seeds": (results.seeds, manifest.seeds),
        "number of rows": (len(results.rows), len(contents.jobs)),
    }
    yield from (f"{RESULTS}: {reason}" for reason in differing(said))
    paths = [picture.path for picture in results.pictures if picture.path not in manifest.files]
    yield from some(f"is a picture that {RESULTS} names and that is not in the bundle", paths)
    scoring, known = contents.scoring(), {}
    for job in contents.jobs:
        reasons = list(_row_fits(contents, job, rows.get(key_of(job)), scoring))
        yield from (f"{contents.place(job).name}: {reason}" for reason in reasons)
        known[key_of(job)] = not reasons
    with_tensors = [
        target_of(job) for job in contents.tested if contents.has_tensors(contents.place(job))
    ]
    yield from differing({"erased tensors": (with_tensors, list(manifest.artifacts))})
    if all(known.values()):
        yield from _summary_fits(contents, results, scoring)


def _row_fits(contents: Contents, job: Job, row: Row | None, scoring: Scoring) -> Iterator[str]:
    """The row of a job is what its files say."""
    if row is None:
        yield f"{RESULTS} has no row for it"
        return
    try:
        links = [(link, contents.record(place)) for link, place in contents.models(job)]
        count = sum(chunk.read().num_rows for chunk in contents.chunks(job))
    except (OSError, ValueError) as exc:
        yield str(exc)
        return
    own = links[-1][1] if links else None
    tested, manifest = job.label == contents.manifest.eraser, contents.manifest
    method = job.recipe.last.method if job.recipe.steps else None
    said: dict[str, tuple[object, object]] = {
        "role": (row.role, job.role),
        "eraser": (row.eraser, manifest.eraser if tested else method.name if method else ""),
        "settings": (
            row.settings,
            manifest.settings if tested else plain(method.settings) if method else {},
        ),
        "artifact digest": (row.artifact_digest, own.digest if own else ""),
        "cost": (row.cost, own.cost if own else None),
        "erasing seed": (row.erase_seed, own.seed if own else None),
        "images": (row.num_images, count),
    }
    if manifest.schema_version == 2:
        place = contents.relative(contents.place(job))
        chunks = tuple(contents.relative(chunk.path) for chunk in contents.chunks(job))
        said |= {"artifact": (row.artifact, place if own else None), "chunks": (row.chunks, chunks)}
    yield from differing(said)
    for link, record in links:
        yield from _model_fits(contents, link, record, own=tested and link == job.recipe)
    try:
        scored = contents.evaluation.score(job, scoring)
    except ValueError as exc:
        yield str(exc)
        return
    yield from scores_differ(row.scores, scored.scores, "its predictions give")
    yield from scores_differ(row.details, scored.details, "its predictions give")


def _model_fits(contents: Contents, link: Recipe, record: Artifact, *, own: bool) -> Iterator[str]:
    """An artifact is what the recipe's last step makes; ``own`` if that is the bundle's method."""
    manifest, step = contents.manifest, link.last
    said: dict[str, tuple[object, object]] = {
        "base digest": (record.base_digest, contents.model_digest(link.before)),
        "artifact's targets": (record.targets, tuple(map(str, step.task.targets))),
        "artifact's seed": (record.seed, step.task.seed),
    }
    if manifest.schema_version == 2:
        said |= {
            "artifact's task": (task_json(record.task()), task_json(step.task)),
            "artifact's pairs": (record.pairs, step.task.pairs),
        }
    if not own:
        said |= {f"method of {step}": (plain(record.identity), plain(step.method.identity))}
    elif manifest.method:
        said |= {
            "version": (record.version, manifest.version),
            "method": (record.identity["method"], manifest.method),
            "revision": (revision_of(record, manifest.options), manifest.revision),
        }
    else:  # from before versions, when the bytes of the code were the identity
        said |= {
            "version": (record.version, manifest.version),
            "source digest": (record.source_digest, manifest.source_digest),
        }
    yield from differing(said)


def _summary_fits(contents: Contents, results: Results, scoring: Scoring) -> Iterator[str]:
    """Means, notes, and metrics of real images are what the rows give; nothing else is there."""
    evaluation = contents.evaluation
    found = {(row.label, row.kind): row for row in evaluation.means(results.rows)}
    for row in results.means:
        mean = found.pop((row.label, row.kind), None)
        if mean is None:
            yield f"{RESULTS} has a row {row.label} ({row.kind}) that is not of this bundle"
            continue
        for reason in scores_differ(row.scores, mean.scores, "its targets give"):
            yield f"{RESULTS}, {row.kind}: {reason}"
        if (row.ufe, row.stored_bytes) != (mean.ufe, mean.stored_bytes):
            yield f"{RESULTS}, {row.kind}: the cost is not the mean of its targets'"
    yield from some("targets have no row", sorted(kind for _, kind in found))
    notes = as_stored(results, evaluation.notes(results.rows, scoring))
    for group in sorted(notes.keys() | results.notes.keys()):
        here, there = results.notes.get(group, {}), notes.get(group, {})
        for name in sorted(here.keys() | there.keys()):
            if here.get(name) != there.get(name):
                yield (
                    f"{RESULTS}, {group}: {name} is said to be {here.get(name)!r}, its images "
                    f"give {there.get(name)!r}"
                )
    if scoring.reference is not None:
        real = evaluation.real_vs_real(scoring)
        for reason in scores_differ(results.real_vs_real, real, "real images give"):
            yield f"{RESULTS}, real images: {reason}"
    if results.comparisons:
        yield f"{RESULTS} compares rows, of which a bundle has only one a group"


def plain(data: Mapping[str, object]) -> dict[str, object]:
    """Return data as it comes back from a JSON file."""
    found: dict[str, object] = json.loads(json.dumps(data))
    return found


def as_stored(
    results: Results, notes: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, object]]:
    """Return notes as a file of results has them."""
    stored: dict[str, dict[str, object]] = results.model_copy(update={"notes": notes}).model_dump(
        mode="json"
    )["notes"]
    return stored


def _pictures_open(contents: Contents) -> Iterator[str]:
    for path in sorted(contents.folder.rglob("*.webp")):
        try:
            with Image.open(path, formats=["WEBP"]) as image:
                image.load()
        except (OSError, Image.DecompressionBombError) as exc:
            yield f"{contents.relative(path)} is no picture: {exc}"
