"""Whether a bundle is whole, well-formed, and says what its own predictions say."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from metrics.base import Predictions, Score
from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.sources import Sources
from unlearncanvas.core.digests import digest_file
from unlearncanvas.core.json_file import read_json
from unlearncanvas.core.registry import names
from unlearncanvas.engine.chunks import to_predictions
from unlearncanvas.engine.reference_features import ReferenceFeatures, open_reference
from unlearncanvas.evaluations.grid.protocol import GridProtocol, load_protocol
from unlearncanvas.evaluations.grid.scores import concept_accuracy, target_scores
from unlearncanvas.pipelines.artifacts import Artifact, json_path
from unlearncanvas.publish.submissions.bundle import (
    CARD,
    MANIFEST,
    RESULTS,
    VERIFIED,
    Manifest,
    place_of,
    read_card,
    read_manifest,
    revision_of,
)
from unlearncanvas.results.aggregate import mean_rows
from unlearncanvas.results.schema import Result, RunResults, read_results
from unlearncanvas.types import Cell, Concept

SUFFIXES = {".json", ".yaml", ".parquet", ".webp", ".safetensors"}
MAX_FILES, MAX_FILE, MAX_BUNDLE = 5_000, 2_000_000_000, 20_000_000_000
"""Files, bytes of one, bytes of all. Whole UNets are larger: their digests do."""
MAX_TEXT, MAX_TABLE = 20_000_000, 2_000_000_000
"""Bytes of a JSON or YAML file; of a table once it is decompressed."""
EXACT = 1e-9
ROUNDING = 1e-5
"""Relative, for FID and KID: sums of floating-point numbers come out differently elsewhere."""
LINE = 10
"""Reasons that are listed of one kind."""


def reasons_against(folder: Path, sources: Sources | None = None) -> list[str]:
    """Return every reason to refuse a bundle; none if it is fine.

    Later checks need what earlier ones make sure of, so that a bundle whose files are not what it
    says is not read any further.
    """
    return broken_seal(folder) or list(_results_fit(folder, sources or Sources()))


def broken_seal(folder: Path) -> list[str]:
    """Return the reasons that need no look at predictions: files, digests, protocol, card."""
    for check in (_safe_files, _manifest_fits, _card_fits):
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


def _manifest_fits(folder: Path) -> Iterator[str]:
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
    yield from _some("is named in bundle.json and not there", sorted(named - there))
    yield from _some("is there and not named in bundle.json", sorted(there - named))
    changed = [
        name for name in sorted(there & named) if digest_file(folder / name) != manifest.files[name]
    ]
    yield from _some("is not the file that bundle.json names: its sha256 is another", changed)
    yield from _protocol_fits(manifest)


def _protocol_fits(manifest: Manifest) -> Iterator[str]:
    if manifest.protocol not in names("protocols"):
        yield f"unknown protocol {manifest.protocol!r}; choose from {', '.join(names('protocols'))}"
        return
    rules = load_protocol(manifest.protocol)
    if rules.digest != manifest.protocol_digest:
        yield (
            f"protocol {manifest.protocol} has digest {rules.digest[:12]}, the bundle is of "
            f"{manifest.protocol_digest[:12]}: another version, precision or batch size"
        )
    if manifest.tier not in rules.tiers:
        yield f"tier {manifest.tier!r} is none of {manifest.protocol}: {', '.join(rules.tiers)}"
        return
    wanted = set(map(str, rules.tier_targets(manifest.tier)))
    yield from _some("is a target of the tier and missing", sorted(wanted - set(manifest.targets)))
    yield from _some("is no target of the tier", sorted(set(manifest.targets) - wanted))
    if manifest.seeds != rules.tier_seeds(manifest.tier):
        yield f"the tier has seeds {rules.tier_seeds(manifest.tier)}, the bundle {manifest.seeds}"


def _card_fits(folder: Path) -> Iterator[str]:
    try:
        read_card(folder / CARD)
    except ValueError as exc:
        yield f"{CARD}: {exc}"


def _results_fit(folder: Path, sources: Sources) -> Iterator[str]:
    """The scores are those of the predictions, the means those of the scores."""
    manifest = read_manifest(folder)
    rules, real = open_rules(manifest, folder, sources)
    try:
        summary = read_results(folder / RESULTS)
    except ValueError as exc:
        yield str(exc)
        return
    results = []
    for name in manifest.targets:
        target = Concept.parse(name)
        place = place_of(folder, name)
        try:
            result = read_json(Result, place / "result.json")
            artifact = read_json(Artifact, json_path(place))
            predictions = predictions_of(place, manifest, rules)
        except (OSError, ValueError, KeyError, pa.ArrowException) as exc:
            yield f"{target.slug}: {' '.join(str(exc).split())}"
            continue
        results.append(result)
        yield from (
            f"{target.slug}: {reason}"
            for reason in _target_fits(manifest, result, artifact, predictions, target, rules, real)
        )
        yield from _picture_opens(place)
    if len(results) == len(manifest.targets):
        yield from _means_fit(summary, results, manifest)


def open_rules(
    manifest: Manifest, folder: Path, sources: Sources
) -> tuple[GridProtocol, ReferenceFeatures | None]:
    """Return the protocol that a bundle was drawn by, and where features of real images are."""
    rules = load_protocol(manifest.protocol).for_tier(manifest.tier)
    detectors = load_detectors(rules.detectors, rules.extractors(), sources=sources)
    return rules, open_reference(rules, detectors, sources, folder.parent / "reference")


def predictions_of(place: Path, manifest: Manifest, rules: GridProtocol) -> Predictions:
    """Return the predictions of one target.

    Raises:
        ValueError: If they contradict themselves or the protocol's prompts.
    """
    own = rules.for_eraser(manifest.eraser)
    return to_predictions([read_rows(place, seed, own) for seed in manifest.seeds])


def read_rows(place: Path, seed: int, rules: GridProtocol) -> pa.Table:
    """Return the predictions of one seed.

    Raises:
        ValueError: If they contradict themselves or the protocol's prompts.
    """
    path = place / f"seed{seed}.parquet"
    about = pq.read_metadata(path)
    size = sum(about.row_group(row).total_byte_size for row in range(about.num_row_groups))
    if size > MAX_TABLE:
        raise ValueError(f"{path.name} holds {size:,} bytes, at most {MAX_TABLE:,} are taken")
    table = pq.read_table(path)
    rows = table.select(["style", "object", "seed", "prompt", "style_pred", "object_pred"])
    for domain, known in (("style", rules.styles), ("object", rules.objects)):
        probable = np.stack([np.asarray(row) for row in table[f"{domain}_prob"].to_pylist()])
        _check_probabilities(domain, probable, table[f"{domain}_pred"].to_pylist())
        unknown = set(table[domain].to_pylist()) - set(known)
        if unknown:
            raise ValueError(f"seed {seed}: {domain} {min(unknown)!r} is none of the protocol's")
    for row in rows.to_pylist():
        asked = rules.ask(Cell(style=row["style"], object=row["object"]))
        if row["prompt"] != asked:
            raise ValueError(
                f"seed {seed}: drawn for {row['prompt']!r}, the protocol asks {asked!r}"
            )
    if set(rows["seed"].to_pylist()) != {seed}:
        raise ValueError(f"seed{seed}.parquet holds images of other seeds")
    return table


def _check_probabilities(domain: str, probable: np.ndarray, predicted: list[str]) -> None:
    """The predicted name is the one of the largest probability, for every image alike."""
    if not np.isfinite(probable).all() or abs(probable.sum(axis=1) - 1).max() > 0.01:
        raise ValueError(f"{domain} probabilities do not add up to 1")
    named: dict[int, str] = {}
    for index, name in zip(probable.argmax(axis=1).tolist(), predicted, strict=True):
        if named.setdefault(index, name) != name:
            raise ValueError(
                f"{domain} predictions contradict the probabilities beside them ({name})"
            )


def _target_fits(
    manifest: Manifest,
    result: Result,
    artifact: Artifact,
    predictions: Predictions,
    target: Concept,
    rules: GridProtocol,
    real: ReferenceFeatures | None,
) -> Iterator[str]:
    said = {
        "target": (result.target, str(target)),
        "eraser": (result.eraser, manifest.eraser),
        "settings": (result.settings, manifest.settings),
        "protocol digest": (result.protocol_digest, manifest.protocol_digest),
        "artifact digest": (result.artifact_digest, artifact.digest),
        "seeds": (result.seeds, manifest.seeds),
        "version": (artifact.version, manifest.version),
        "base digest": (artifact.base_digest, manifest.base_digest),
        "images": (result.num_images, len(predictions.cells)),
    }
    if manifest.method:
        said |= {
            "method": (artifact.identity["method"], manifest.method),
            "revision": (revision_of(artifact), manifest.revision),
        }
    else:  # from before versions, when the bytes of the code were the identity
        said |= {"source digest": (artifact.source_digest, manifest.source_digest)}
    for name, (found, wanted) in said.items():
        if found != wanted:
            yield f"{name} is {found!r}, the bundle says {wanted!r}"
    reference = None if real is None else real.real(len(manifest.seeds))
    try:
        scores = target_scores(rules, predictions, target, reference)
    except ValueError as exc:
        yield str(exc)
        return
    yield from _scores_fit(result.scores, scores, "its predictions give")
    yield from _scores_fit(
        result.concept_accuracy, concept_accuracy(rules, predictions), "its predictions give"
    )


def _scores_fit(said: dict[str, Score], found: dict[str, Score], why: str) -> Iterator[str]:
    for name, score in found.items():
        if name not in said:
            yield f"{name} is missing"
        elif not _same(said[name], score):
            one, two = (f"{item.value:.6g}" for item in (said[name], score))
            if one == two:
                one, two = (f"{item.value:.9g} {_ends(item)}" for item in (said[name], score))
            yield f"{name} is said to be {one}, {why} {two}"
    unknown = [name for name in said if name not in found and not compares(name)]
    yield from _some("is a score that the protocol does not have", unknown)


def _ends(score: Score) -> str:
    return "" if score.low is None else f"[{score.low:.9g}, {score.high:.9g}]"


def compares(name: str) -> bool:
    """Whether a metric compares with real images, which need not be here."""
    return name.startswith(("fid_", "kid_"))


def _same(one: Score, two: Score) -> bool:
    tolerance = EXACT if one.unit == "%" else ROUNDING
    ends = [(one.value, two.value), (one.low, two.low), (one.high, two.high)]
    return one.n == two.n and all(
        a == b
        if a is None or b is None
        else math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
        for a, b in ends
    )


def _means_fit(summary: RunResults, results: list[Result], manifest: Manifest) -> Iterator[str]:
    if summary.protocol_digest != manifest.protocol_digest:
        yield f"{RESULTS} is of protocol digest {summary.protocol_digest[:12]}"
    found = {row.kind: row for row in mean_rows(results)}
    for row in summary.rows:
        if row.kind not in found or row.label != manifest.eraser:
            yield f"{RESULTS} has a row {row.label} ({row.kind}) that is not of this bundle"
            continue
        for reason in _scores_fit(row.scores, found[row.kind].scores, "its targets give"):
            yield f"{RESULTS}, {row.kind}: {reason}"
        if (row.ufe, row.stored_bytes) != (found[row.kind].ufe, found[row.kind].stored_bytes):
            yield f"{RESULTS}, {row.kind}: the cost is not the mean of its targets'"
    yield from _some("targets have no row", sorted(set(found) - {row.kind for row in summary.rows}))


def _picture_opens(place: Path) -> Iterator[str]:
    for path in place.glob("*.webp"):
        try:
            with Image.open(path, formats=["WEBP"]) as image:
                image.load()
        except (OSError, Image.DecompressionBombError) as exc:
            yield f"{place.name}/{path.name} is no picture: {exc}"


def _some(what: str, names_of: list[str]) -> Iterator[str]:
    """One reason for each name, and how many more there are."""
    for name in names_of[:LINE]:
        yield f"{name} {what}"
    if len(names_of) > LINE:
        yield f"{len(names_of) - LINE} more: {what}"
