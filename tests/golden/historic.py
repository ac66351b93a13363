"""Score the historic bundles again from their predictions; where that gives another number.

``tests/historic`` is never edited. ``changes.jsonl`` beside it lists every number of the bundles
that today's code gives otherwise: old, new and why.
"""

import json
import math
from pathlib import Path

import pyarrow.parquet as pq

from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.sources import SHIPPED
from unlearncanvas.core.registry import read_yaml
from unlearncanvas.engine.chunks import to_predictions
from unlearncanvas.engine.protocols import with_new_keys
from unlearncanvas.engine.reference_features import open_reference
from unlearncanvas.evaluations.grid.protocol import GridProtocol
from unlearncanvas.evaluations.grid.scores import concept_accuracy, target_scores
from unlearncanvas.publish.submissions.bundle import RESULTS, read_manifest
from unlearncanvas.results.aggregate import mean_rows
from unlearncanvas.results.reading import read_results
from unlearncanvas.types import Concept

TARGETS = "targets"
HISTORIC = Path(__file__).parents[1] / "historic"
CHANGES = HISTORIC / "changes.jsonl"
BUNDLES = {
    name: next((HISTORIC / "submissions" / "mini" / name).iterdir()) for name in ("none", "uce")
}
FIELDS = ("value", "n", "low", "high")
ROUNDING, SMALL = 1e-5, 1e-4
"""Relative and absolute, for FID and KID: the detectors see the real images again, and with SSE in
place of AVX-512 differ in the last digit of a few features (2e-6 of FID, 3e-5 of an end of KID)."""
ENDS = 1e-9
"""The same of the ends of an accuracy's interval, which are quantiles."""


def rescored(name):
    """Return every score of a bundle, computed from its predictions and features."""
    folder = BUNDLES[name]
    manifest = read_manifest(folder)
    rules = protocol(manifest.protocol).for_tier(manifest.tier).for_eraser(manifest.eraser)
    detectors = load_detectors(rules.detectors)
    real = open_reference(rules, detectors, SHIPPED, folder).real(len(manifest.seeds))
    old = {row.group["target"]: row for row in read_results(folder / RESULTS).rows}
    values, rows = {}, []
    for target in map(Concept.parse, manifest.targets):
        place = folder / TARGETS / target.slug
        predictions = to_predictions(
            [pq.read_table(place / f"seed{seed}.parquet") for seed in manifest.seeds]
        )
        scores = target_scores(rules, predictions, target, real).scores
        rows.append(old[str(target)].model_copy(update={"scores": scores}))
        values |= _flat(f"{target}", scores | concept_accuracy(rules, predictions))
    for row in mean_rows(rows):
        values |= _flat(f"mean:{row.kind}", row.scores)
    return values


def protocol(name):
    """Return a historic protocol; those of 0.5 leave the templates to the erasers."""
    path = HISTORIC / "protocols" / f"{name}.yaml"
    return GridProtocol.model_validate(with_new_keys(read_yaml(path)) | {"templates": {}})


def _flat(where, scores):
    return {
        f"{where}/{name}/{field}": getattr(score, field)
        for name, score in scores.items()
        for field in FIELDS
    }


def written(name):
    """Return every score of a bundle as its files say, read as plain JSON."""
    folder, values = BUNDLES[name], {}
    for path in sorted(folder.glob(f"{TARGETS}/*/result.json")):
        result = json.loads(path.read_text())
        for score, content in (result["scores"] | result["concept_accuracy"]).items():
            values |= {f"{result['target']}/{score}/{field}": content[field] for field in FIELDS}
    for row in json.loads((folder / RESULTS).read_text())["rows"]:
        for score, content in row["scores"].items():
            values |= {f"mean:{row['kind']}/{score}/{field}": content[field] for field in FIELDS}
    return values


def expected(name):
    """Return what a bundle's scores are held to: its files' numbers, or the new ones listed."""
    return written(name) | {line["score"]: line["new"] for line in listed() if line["of"] == name}


def listed():
    """Return the listed changes: whose, score, old, new, and why."""
    return [json.loads(line) for line in CHANGES.read_text().splitlines()]


def same(key, one, two):
    """Whether two numbers of a score agree: accuracies to the digit, others to their rounding."""
    accuracy = "/fid_" not in key and "/kid_" not in key
    if one is None or two is None or (accuracy and key.endswith(("/value", "/n"))):
        return one == two
    relative, absolute = (ENDS, ENDS) if accuracy else (ROUNDING, SMALL)
    return math.isclose(one, two, rel_tol=relative, abs_tol=absolute)


def list_changes(name, now, because):
    """Write down where a bundle's scores are now other ones than in its files.

    A line that holds stays as it is, with its reason; new ones get ``because``.
    """
    old = written(name)
    changed = [key for key in sorted(old | now) if not same(key, old.get(key), now.get(key))]
    before = {line["score"]: line for line in listed() if line["of"] == name}
    lines = [line for line in listed() if line["of"] != name]
    for key in changed:
        line = before.get(key)
        if line is None or not same(key, line["new"], now.get(key)):
            if not because:
                raise ValueError(f"{key} of the historic {name!r} changed: --because must say why")
            line = {
                "of": name, "score": key, "old": old.get(key), "new": now.get(key), "why": because
            }  # fmt: skip
        lines.append(line)
    CHANGES.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
