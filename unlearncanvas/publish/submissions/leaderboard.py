"""Bundles to a site, and to the Hub's format of evaluation results."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from metrics.base import Score
from unlearncanvas.core.files import write_text
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.publish.report.leaderboards import Collection, Provenance
from unlearncanvas.publish.submissions.bundle import (
    CARD,
    RESULTS,
    bundles,
    read_card,
    read_manifest,
    read_verification,
    valid_verification,
)
from unlearncanvas.publish.submissions.contents import target_of
from unlearncanvas.results.reading import read_results
from unlearncanvas.results.schema import Results

DATASET = "OPTML-Group/UnlearnCanvas"
SOURCE = "https://arxiv.org/abs/2402.11846"


def provenance_of(folder: Path) -> Provenance:
    """Return whether a bundle was verified as it is now."""
    found = valid_verification(folder)
    return "verified" if found is not None and found.passed else "reported"


def leaderboards_of(root: Path) -> Collection:
    """Return the leaderboards of all bundles under a folder.

    Raises:
        ValueError: If there are none.
    """
    found = list(bundles(root))
    if not found:
        raise ValueError(f"no bundles under {root}; make one with: unlearncanvas submit RUNS")
    trust = {folder: provenance_of(folder) for folder in found}
    return collect([folder / RESULTS for folder in found], trust)


def write_hub_results(root: Path, out: Path) -> list[Path]:
    """Write a file for each bundle in the Hub's ``.eval_results`` format; return their paths.

    Put them into ``.eval_results/`` of the model's repository on the Hub.
    """
    paths = []
    for folder in bundles(root):
        manifest, card = read_manifest(folder), read_card(folder / CARD)
        verification = read_verification(folder)
        lines = [
            {
                "dataset": {
                    "id": DATASET,
                    "task_id": f"{manifest.protocol}/{manifest.tier}/{what}/{name}",
                    "revision": manifest.protocol_digest[:12],
                },
                "value": score.value,
                **({"date": verification.date[:10]} if verification else {}),
                "source": {"url": SOURCE, "name": card.method, "user": card.contact},
                "notes": f"{provenance_of(folder)}; settings {manifest.revision}",
            }
            for what, scores in _scores(read_results(folder / RESULTS), manifest.eraser)
            for name, score in scores.items()
        ]
        path = out / ".eval_results" / f"{manifest.protocol}-{manifest.eraser}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, yaml.safe_dump(lines, sort_keys=False))
        paths.append(path)
    return paths


def _scores(results: Results, label: str) -> Iterator[tuple[str, Mapping[str, Score]]]:
    """The means of a label where the evaluation has any, else its rows."""
    means = [(mean.kind, mean.scores) for mean in results.means if mean.label == label]
    rows = [(target_of(row), row.scores) for row in results.rows if row.label == label]
    yield from means or rows
