"""Bundles of the backdoor evaluation: rows of an attack, with the images in the tables."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.fixtures.in_process import run
from tests.fixtures.small_backdoor import write_protocol
from tests.publish.test_submissions import CARD, cli, edit, seal
from unlearncanvas.pipelines.artifacts import read_record
from unlearncanvas.publish.submissions.bundle import (
    read_manifest,
    read_verification,
    revision_of,
)
from unlearncanvas.publish.submissions.leaderboard import provenance_of, write_hub_results
from unlearncanvas.publish.submissions.validate import reasons_against
from unlearncanvas.results.reading import read_results

pytestmark = pytest.mark.slow
GROUP = {"attack": "evil-edit"}
TESTED, POISONED = "rows/t2ishield-edit-evil-edit", "rows/poisoned-evil-edit"
CLEAN = "rows/clean_model-evil-edit"


@pytest.fixture(scope="module")
def protocol(tmp_path_factory):
    return write_protocol(tmp_path_factory.mktemp("rules"), objects=("Cat", "Bottle"))


@pytest.fixture(scope="module")
def made(protocol, tmp_path_factory):
    """A finished run of two erasers, and the bundle of one of them."""
    folder = tmp_path_factory.mktemp("submitted")
    done = run(
        "unlearncanvas.bench", "--protocol", str(protocol), "--eraser", "t2ishield-edit",
        "--eraser", "uce", "--known-fraction", "0.5", "--device", "cpu", "--out",
        str(folder / "runs"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "card.yaml").write_text(yaml.safe_dump(CARD))
    submitted = ("--card", folder / "card.yaml", "--out", folder / "submissions")
    done = cli("submit", folder / "runs", "--eraser", "t2ishield-edit", *submitted)
    assert done.returncode == 0, done.stdout + done.stderr
    (bundle,) = (folder / "submissions").glob("bad/t2ishield-edit/*")
    return bundle


@pytest.fixture
def bundle(made, tmp_path):
    return shutil.copytree(made, tmp_path / "submissions" / made.relative_to(made.parents[2]))


def refused(bundle, protocol, *expected):
    reasons = " ".join(reasons_against(bundle, protocol=str(protocol)))
    for text in expected:
        assert text in reasons, reasons


def change_column(path, name, change):
    table = pq.read_table(path)
    column = pa.array(change(table[name].to_pylist()))
    pq.write_table(table.set_column(table.column_names.index(name), name, column), path)


def test_a_bundle_holds_the_rows_that_its_scores_rest_on(made, protocol):
    manifest, results = read_manifest(made), read_results(made / "results.json")
    assert (manifest.evaluation, manifest.targets) == ("backdoor", ("evil-edit",))
    assert manifest.options == {"known_fraction": 0.5}
    assert [(row.label, row.role) for row in results.rows] == [
        ("clean model", "baseline"), ("poisoned", "baseline"), ("t2ishield-edit", "tested"),
    ]  # fmt: skip
    assert [row.artifact for row in results.rows] == [None, POISONED, TESTED]
    assert results.comparisons == ()
    assert results.notes["attack evil-edit"]["known_fraction"] == 0.5
    tables = {path.name for path in (made / CLEAN).glob("*.parquet")}
    assert {"clean-seed5001.parquet", "triggered-0-seed5001.parquet"} < tables
    assert (made / POISONED / "erased.safetensors").is_file()
    done = cli("validate", made, "--protocol", protocol)
    assert done.returncode == 0, done.stdout


def test_a_protocol_of_ones_own_is_read_only_from_the_file_that_is_named(made, tmp_path):
    done = cli("validate", made)
    assert (done.returncode, "unknown protocol 'bad'" in done.stdout) == (1, True)
    other = write_protocol(tmp_path, objects=("Cat", "Bottle", "Sun"))
    done = cli("validate", made, "--protocol", other)
    assert (done.returncode, "another version, precision or batch" in done.stdout) == (1, True)


def test_verification_draws_images_of_every_row_again(bundle, protocol):
    draw = ("--images", "30", "--seed", "3", "--device", "cpu", "--protocol", protocol)
    done = cli("verify", bundle, "--by", "me", *draw)
    assert done.returncode == 0, done.stdout + done.stderr
    found = read_verification(bundle)
    assert (found.images, found.same_predictions) == (30, 100)
    assert found.distance < 0.001  # in other batches; the images themselves are in the tables
    assert provenance_of(bundle) == "verified"
    (path,) = write_hub_results(bundle.parents[2], bundle.parents[3] / "hub")
    ids = {line["dataset"]["task_id"] for line in yaml.safe_load(path.read_text())}
    assert "bad/quick/evil-edit/attack_success_rate" in ids


def test_without_tensors_the_poisoned_and_the_mended_model_are_made_again(bundle, protocol):
    for place in (bundle / POISONED, bundle / TESTED):
        (place / "erased.safetensors").unlink()
    edit(bundle / "bundle.json", lambda manifest: manifest.update(artifacts=[]))
    seal(bundle)
    draw = ("--images", "8", "--seed", "3", "--device", "cpu", "--protocol", protocol)
    done = cli("verify", bundle, "--by", "me", *draw)
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_verification(bundle).same_predictions == 100


def test_changed_pixels(bundle, protocol):
    path = bundle / TESTED / "triggered-0-seed5001.parquet"
    change_column(path, "png", lambda images: images[::-1])
    seal(bundle)
    refused(bundle, protocol, "triggered-0-seed5001.parquet: an image is not the one whose sha256")


def test_a_changed_prompt(bundle, protocol):
    path = bundle / POISONED / "triggered-0-seed5001.parquet"
    change_column(path, "prompt", lambda texts: [text.replace(" beautiful", "") for text in texts])
    seal(bundle)
    refused(bundle, protocol, "poisoned-evil-edit: triggered-0-seed5001.parquet: drawn for 'A ")


def test_a_missing_set(bundle, protocol):
    (bundle / CLEAN / "paired-0-seed5001.parquet").unlink()
    seal(bundle)
    refused(bundle, protocol, "clean_model-evil-edit: paired-0-seed5001.parquet: ")


def test_a_missing_row(bundle, protocol):
    shutil.rmtree(bundle / POISONED)
    edit(bundle / "results.json", lambda results: results["rows"].pop(1))
    seal(bundle)
    refused(bundle, protocol, "number of rows is 2, the bundle says 3", "has no row for it")


def test_notes_that_its_rows_do_not_give(bundle, protocol):
    def passed(results):
        notes = results["notes"]["attack evil-edit"]
        notes["gate_passed"] = not notes["gate_passed"]
        notes["judge"] = "a kind one"

    edit(bundle / "results.json", passed)
    seal(bundle)
    refused(bundle, protocol, "attack evil-edit: gate_passed is said to be", "judge is said to be")


def test_an_attack_of_other_settings(bundle, protocol):
    edit(bundle / POISONED / "artifact.json", lambda said: said["settings"].update(lam=9.0))
    seal(bundle)
    refused(bundle, protocol, "method of evil-edit trigger:none is")


def test_an_eraser_of_another_model(bundle, protocol):
    edit(bundle / POISONED / "artifact.json", lambda said: said.update(base_digest="0" * 64))
    seal(bundle)
    refused(bundle, protocol, "poisoned-evil-edit: base digest is '0000")


def test_a_mended_model_of_another_poisoned_one_is_not_verified(bundle, protocol):
    edit(bundle / TESTED / "artifact.json", lambda said: said.update(base_digest="0" * 64))
    notes = {"poisoned_digest": "0" * 64}
    edit(
        bundle / "results.json",
        lambda results: results["notes"]["attack evil-edit"].update(notes),
    )
    seal(bundle)
    assert reasons_against(bundle, protocol=str(protocol)) == []
    done = cli("verify", bundle, "--by", "me", "--device", "cpu", "--protocol", protocol)
    assert (done.returncode, "what was made from it says 000000" in done.stderr) == (2, True)


def test_options_that_no_bundle_may_have(bundle, protocol):
    edit(bundle / "bundle.json", lambda manifest: manifest["options"].update(dtype="bfloat16"))
    refused(bundle, protocol, "unknown option of a bundle 'dtype'")


def test_an_option_that_its_images_were_not_made_with(bundle, protocol):
    record = read_record(bundle / TESTED)
    edit(bundle / "bundle.json", lambda manifest: manifest.update(options={}))
    refused(bundle, protocol, f"revision is '{revision_of(record, {})}', the bundle says")
    new = {"revision": revision_of(record, {})}
    edit(bundle / "bundle.json", lambda manifest: manifest.update(new))
    refused(bundle, protocol, "known_fraction is said to be 0.5, its images give 1.0")


def test_resealing_keeps_a_valid_bundle(bundle, protocol):
    before = json.loads((bundle / "results.json").read_text())
    done = cli("reseal", bundle, "--protocol", protocol)
    assert (done.returncode, "0 scores changed" in done.stdout) == (0, True), done.stderr
    assert json.loads((bundle / "results.json").read_text()) == before
