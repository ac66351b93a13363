"""Every later version reads the result files and bundles of 0.5, and scores the bundles alike.

``tests/historic`` is never edited. What a version computes otherwise on purpose it lists in
``tests/historic/changes.jsonl``: ``python -m tests.golden update 'historic-*' --because 'why'``.
"""

import hashlib
import json
import shutil

import pytest

from tests.end_to_end.test_golden import assert_golden
from tests.golden import historic
from tests.golden.historic import BUNDLES, CHANGES, HISTORIC, list_changes, listed, written
from unlearncanvas.core.json_file import read_json
from unlearncanvas.core.registry import CONFIG_DIR
from unlearncanvas.pipelines.artifacts import Artifact
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.publish.submissions.bundle import (
    CARD,
    bundles,
    read_card,
    read_manifest,
    read_verification,
)
from unlearncanvas.publish.submissions.leaderboard import leaderboards_of
from unlearncanvas.publish.submissions.validate import reasons_against
from unlearncanvas.results.reading import read_results
from unlearncanvas.results.schema import MeanRow, group_text

RESULTS, SUBMISSIONS = HISTORIC / "results", HISTORIC / "submissions"
SUMS = dict(
    reversed(line.split("  ", 1)) for line in (HISTORIC / "SHA256SUMS").read_text().splitlines()
)
RENAMED = {
    "artefact_digest": "artifact_digest", "artefacts": "artifacts", "licence": "license",
    "limited": "subset", "rows": "means", "floors": "real_vs_real",
    "concept_accuracy": "details", "known": "known_fraction", "knowledge": "trigger_knowledge",
}  # fmt: skip
"""Keys of version 0.6 and before, and what they are now."""


def test_the_historic_files_are_as_they_were():
    files = {
        path.relative_to(HISTORIC).as_posix() for path in HISTORIC.rglob("*") if path.is_file()
    }
    assert files - {"SHA256SUMS", CHANGES.name} == set(SUMS)
    for name, digest in SUMS.items():
        assert hashlib.sha256((HISTORIC / name).read_bytes()).hexdigest() == digest, name


def assert_nothing_lost(content, found):
    """Everything that a file says is in what was read of it, to the digit."""
    if isinstance(content, dict):
        for key, value in content.items():
            assert_nothing_lost(value, found[RENAMED.get(key, key)])
    elif isinstance(content, list):
        assert len(content) == len(found)
        for one, two in zip(content, found, strict=True):
            assert_nothing_lost(one, two)
    else:
        assert content == found


def without(content, *keys):
    return {key: value for key, value in content.items() if key not in keys}


def assert_run_read(content, path):
    """A run of the grid, or of the backdoor evaluation, is in its results of today."""
    found = read_results(path).model_dump(mode="json")
    files = ("schema_version", "results", "root", "known", "knowledge", "attacks")
    assert_nothing_lost(without(content, *files), found)
    for attack in content.get("attacks", ()):
        group = {"attack": attack["attack"]}
        rows = [row for row in found["rows"] if row["group"] == group]
        assert_nothing_lost(attack["rows"], rows)
        pairs = [pair for pair in found["comparisons"] if pair["group"] == group]
        assert_nothing_lost(attack["comparisons"], pairs)
        notes = without(attack, "attack", "rows", "comparisons")
        notes |= {name: content[name] for name in ("known", "knowledge")}
        assert_nothing_lost(notes, found["notes"][group_text(group)])


@pytest.mark.parametrize(
    "path", sorted(RESULTS.rglob("*.json")), ids=lambda path: str(path.relative_to(RESULTS))
)
def test_a_result_file_is_read_to_the_digit(path):
    content = json.loads(path.read_text())
    if not path.name.startswith(("sweep-", "tune-")):
        assert_run_read(content, path)
        return
    for rows in (content if path.name.startswith("sweep-") else content["rows"]).values():
        found = [MeanRow.model_validate(row).model_dump(mode="json") for row in rows]
        assert_nothing_lost(rows, found)


@pytest.mark.parametrize(
    "folder", list(bundles(SUBMISSIONS)), ids=lambda folder: folder.parent.name
)
def test_a_bundle_is_read_to_the_digit(folder):
    manifest = read_manifest(folder)
    assert_nothing_lost(
        json.loads((folder / "bundle.json").read_text()), manifest.model_dump(mode="json")
    )
    found = read_verification(folder)
    assert found is None if folder.parent.name == "salun" else found.passed
    assert read_card(folder / CARD).method
    artifacts = list(folder.rglob("artefact.json"))
    for path in artifacts:
        assert_nothing_lost(
            json.loads(path.read_text()), read_json(Artifact, path).model_dump(mode="json")
        )
    assert len(artifacts) == len(manifest.targets) == 6
    path = folder / "results.json"
    assert_run_read(json.loads(path.read_text()), path)
    rows = {row.group["target"]: row for row in read_results(path).rows}
    assert len(rows) == 6
    for file in folder.rglob("result.json"):
        content = json.loads(file.read_text())
        row = rows[content["target"]]
        of_run = ("schema_version", "target", "protocol", "protocol_digest", "seeds", "limited",
                  "environment", "artefact", "artifact", "chunks")  # fmt: skip
        assert_nothing_lost(without(content, *of_run), row.model_dump(mode="json"))
        images = sorted(
            path.relative_to(folder).as_posix() for path in file.parent.glob("*.parquet")
        )
        assert sorted(row.chunks) == images


def test_reports_and_leaderboards_are_made_of_them():
    (found,) = leaderboards_of(SUBMISSIONS).leaderboards
    assert set(found.rows) == {folder.parent.name for folder in bundles(SUBMISSIONS)}
    (found,) = collect([RESULTS / "mini-quick-five-seeds.json"]).leaderboards
    assert set(found.rows) >= {"none", "esd", "uce", "salun"}
    assert found.title == "mini · earlier protocol · 6 targets · 5 seeds"


def test_the_protocol_of_the_bundles_is_read_with_its_digest():
    protocol = historic.protocol("mini")
    for name in BUNDLES:
        assert read_manifest(BUNDLES[name]).protocol_digest == protocol.digest


@pytest.fixture(scope="module", params=BUNDLES)
def rescored(request):
    return request.param, historic.rescored(request.param)


def test_a_bundle_scores_what_it_scored_and_a_listed_change_holds(rescored):
    name, found = rescored
    assert_golden(f"historic-{name}", found)


def test_what_is_listed_as_changed_was_another_number(rescored):
    name, found = rescored
    for line in listed():
        if line["of"] == name:
            assert line["old"] == written(name).get(line["score"])
            assert not historic.same(line["score"], line["old"], found.get(line["score"])), line
            assert line["why"]


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLES)
def test_validation_objects_to_nothing_but_the_listed_changes(tmp_path, name):
    shutil.copytree(BUNDLES[name], tmp_path / name)
    changed = {line["score"].split("/")[1] for line in listed() if line["of"] == name}
    earlier = str(CONFIG_DIR / "earlier" / "mini-0def3984a8ff.yaml")
    for reason in reasons_against(tmp_path / name, protocol=earlier):
        assert " is said to be " in reason
        assert any(score in reason for score in changed), reason


def test_a_change_is_listed_with_its_reason_until_it_no_longer_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(historic, "CHANGES", tmp_path / "changes.jsonl")
    (tmp_path / "changes.jsonl").touch()
    now = written("uce")
    value, low = (f"style:Mosaic/unlearning_accuracy/{field}" for field in ("value", "low"))
    list_changes("uce", now | {value: 95.0}, "exact")
    with pytest.raises(ValueError, match="--because must say why"):
        list_changes("uce", now | {value: 95.0, low: 70.0}, "")
    list_changes("uce", now | {value: 95.0, low: 70.0}, "intervals")
    assert [(line["score"], line["old"], line["new"], line["why"]) for line in listed()] == [
        (low, 80.0, 70.0, "intervals"), (value, 94.9999988079071, 95.0, "exact")
    ]  # fmt: skip
    assert historic.expected("uce") == now | {value: 95.0, low: 70.0}
    list_changes("uce", now | {low: 70.0}, "")
    assert [line["why"] for line in listed()] == ["intervals"]
    list_changes("none", written("none"), "")
    assert len(listed()) == 1
