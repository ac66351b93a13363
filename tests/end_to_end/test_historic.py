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
from unlearncanvas.evaluations.backdoor.results import read_backdoor_results
from unlearncanvas.pipelines.artifacts import Artifact
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.publish.submissions.bundle import (
    CARD,
    bundles,
    read_card,
    read_manifest,
    read_verification,
)
from unlearncanvas.publish.submissions.leaderboard import board_of
from unlearncanvas.publish.submissions.validate import reasons_against
from unlearncanvas.results.schema import Result, Row, read_results

RESULTS, SUBMISSIONS = HISTORIC / "results", HISTORIC / "submissions"
SUMS = dict(
    reversed(line.split("  ", 1)) for line in (HISTORIC / "SHA256SUMS").read_text().splitlines()
)
RENAMED = {
    "artefact_digest": "artifact_digest", "artefacts": "artifacts",
    "any_base": "skip_base_check", "licence": "license",
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


def read(path):
    """Return what the reader of a result file makes of it, as plain data."""
    content = json.loads(path.read_text())
    if path.name.startswith("backdoor-"):
        return read_backdoor_results(path).model_dump(mode="json")
    if path.name.startswith(("sweep-", "tune-")):
        rows = content if path.name.startswith("sweep-") else content["rows"]
        found = {
            label: [Row.model_validate(row).model_dump(mode="json") for row in of]
            for label, of in rows.items()
        }
        return found if path.name.startswith("sweep-") else content | {"rows": found}
    return read_results(path).model_dump(mode="json")


@pytest.mark.parametrize(
    "path", sorted(RESULTS.rglob("*.json")), ids=lambda path: str(path.relative_to(RESULTS))
)
def test_a_result_file_is_read_to_the_digit(path):
    assert_nothing_lost(json.loads(path.read_text()), read(path))


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
    for path in folder.rglob("*.json"):
        kind = {"result.json": Result, "artefact.json": Artifact}.get(path.name)
        if kind:
            assert_nothing_lost(
                json.loads(path.read_text()), read_json(kind, path).model_dump(mode="json")
            )
    assert len(list(folder.rglob("artefact.json"))) == len(manifest.targets) == 6
    content = json.loads((folder / "results.json").read_text())
    assert_nothing_lost(content, read_results(folder / "results.json").model_dump(mode="json"))


def test_reports_and_leaderboards_are_made_of_them():
    (board,) = board_of(SUBMISSIONS).boards
    assert set(board.entries) == {folder.parent.name for folder in bundles(SUBMISSIONS)}
    (board,) = collect([RESULTS / "mini-quick-five-seeds.json"]).boards
    assert set(board.entries) >= {"none", "esd", "uce", "salun"}


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
    for reason in reasons_against(tmp_path / name):
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
