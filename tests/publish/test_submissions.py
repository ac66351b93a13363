"""Bundles: made, validated, verified, refused when somebody tampered with them."""

import json
import shutil
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

from erasers.uce import UCE
from tests.fixtures.in_process import run
from unlearncanvas.cli.main import __name__ as CLI
from unlearncanvas.core.digests import digest_file, digest_tensors
from unlearncanvas.core.registry import CONFIG_DIR
from unlearncanvas.pipelines.artifacts import Artifact
from unlearncanvas.publish.report.collect import collect
from unlearncanvas.publish.submissions.bundle import (
    Verification,
    bundles,
    evidence_digest,
    read_manifest,
    read_verification,
    revision_of,
)
from unlearncanvas.publish.submissions.leaderboard import leaderboards_of, provenance_of
from unlearncanvas.publish.submissions.seal import broken_seal
from unlearncanvas.publish.submissions.submit import SMALL
from unlearncanvas.publish.submissions.validate import reasons_against
from unlearncanvas.publish.submissions.verify import write_verification
from unlearncanvas.results.reading import read_results

pytestmark = pytest.mark.slow
CARD = {
    "method": "Unified Concept Editing", "paper": "Gandikota et al. 2024, arXiv 2308.14761",
    "code": "rohitgandikota/unified-concept-editing", "license": "MIT",
    "needs_target_images": False, "needs_retain_data": False, "tuned_on": "mini-tune",
    "contact": "the maintainers",
}  # fmt: skip
TARGET = "rows/uce-style-Neon_Lines"
SEED = f"{TARGET}/grid-seed188.parquet"


OF_0_6 = Path(__file__).parents[1] / "historic" / "submissions-0.6"
EARLIER = str(CONFIG_DIR / "earlier" / "mini-0def3984a8ff.yaml")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run of the smoke tier and its bundle."""
    folder = tmp_path_factory.mktemp("submitted")
    done = run(
        "unlearncanvas.bench", "--eraser", "uce", "--tier", "smoke", "--device", "cpu", "--out",
        str(folder / "runs"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "card.yaml").write_text(yaml.safe_dump(CARD))
    done = cli(
        "submit",
        folder / "runs",
        "--eraser",
        "uce",
        "--card",
        folder / "card.yaml",
        "--out",
        folder / "submissions",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "valid" in done.stdout
    (bundle,) = (folder / "submissions").glob("mini/uce/*")
    return bundle


def cli(*arguments):
    return run(CLI, *map(str, arguments))


@pytest.fixture
def bundle(made, tmp_path):
    """A copy to tamper with, at its place under a root."""
    root = tmp_path / "submissions"
    shutil.copytree(made.parents[2], root)
    return root / made.relative_to(made.parents[2])


def seal(bundle):
    """Make the manifest name the files as they are now, as a clever cheat would."""
    manifest = json.loads((bundle / "bundle.json").read_text())
    manifest["files"] = {
        path.relative_to(bundle).as_posix(): digest_file(path)
        for path in bundle.rglob("*")
        if path.is_file() and path.name not in ("bundle.json", "verified.json")
    }
    (bundle / "bundle.json").write_text(json.dumps(manifest))


def edit(path, change):
    content = json.loads(path.read_text())
    content.pop("record_digest", None)  # as in a record of a version that wrote none
    change(content)
    path.write_text(json.dumps(content))


def refused(bundle, *expected):
    done = cli("validate", bundle)
    assert done.returncode == 1, done.stdout
    said = " ".join(done.stdout.split())
    for text in expected:
        assert text in said, said
    count = done.stdout.count("refused ")
    assert f"{count} reason{'s' if count > 1 else ''} against" in said


def test_a_bundle_holds_everything_and_is_valid(made):
    manifest = read_manifest(made)
    assert set(manifest.targets) == set(manifest.artifacts) == {"style:Neon Lines", "object:Cat"}
    assert (manifest.eraser, manifest.tier, manifest.revision) == ("uce", "smoke", made.name)
    assert "class: erasers.uce.UCE" in manifest.config
    worded = ("synonyms", "descriptions", "languages", "sentences")
    chunks = [f"{kind}-style-Neon_Lines-seed188.parquet" for kind in worded]
    chunks += ["mixed-seed188.parquet", "grid-seed188.parquet"]
    assert {"artifact.json", "erased.safetensors", "grid.webp", "sheet.webp", *chunks} == {
        path.name for path in (made / TARGET).iterdir()
    }
    results = read_results(made / "results.json")
    rows = [row for row in results.rows if row.label == "uce"]
    assert [row.artifact for row in rows] == [TARGET, "rows/uce-object-Cat"]
    assert set(rows[0].chunks) == {f"{TARGET}/{name}" for name in chunks}
    assert {row.label for row in results.means} == {"uce", "none"}  # whose images drift needs
    assert [picture.path for picture in results.pictures] == [
        f"{row.artifact}/sheet.webp" for row in rows
    ]
    assert (results.config["erasers"], results.config["tier"]) == (["uce"], "smoke")
    assert not {"device", "out"} & set(results.config)  # how and where it ran is not the eraser's
    assert cli("validate", made).returncode == 0
    assert sum(path.stat().st_size for path in made.rglob("*") if path.is_file()) < 3e6


def test_the_same_from_a_zip_file(made, tmp_path):
    path = shutil.make_archive(str(tmp_path / "bundle"), "zip", made.parents[2])
    assert cli("validate", path).returncode == 0


def test_verification_draws_a_part_again_and_is_written_down(bundle):
    done = cli(
        "verify", bundle, "--by", "A. Verifier", "--images", "12", "--seed", "3", "--device", "cpu"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = read_verification(bundle)
    assert (found.by, found.images, found.seed, found.passed) == ("A. Verifier", 12, 3, True)
    assert found.same_predictions == 100
    assert found.distance < 0.05
    (leaderboard,) = leaderboards_of(bundle.parents[2]).leaderboards
    assert leaderboard.rows["uce"].trust == "verified"
    # whatever is changed afterwards is not what was verified
    (bundle / "bundle.json").write_text((bundle / "bundle.json").read_text() + " ")
    (leaderboard,) = leaderboards_of(bundle.parents[2]).leaderboards
    assert leaderboard.rows["uce"].trust == "reported"


def test_the_leaderboard_shows_what_is_reported(bundle, tmp_path):
    done = cli(
        "leaderboard", bundle.parents[2], "--out", tmp_path / "site", "--hub", tmp_path / "hub"
    )
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "site" / "index.html").read_text()
    assert "reported" in html
    assert len(list((tmp_path / "site" / "pictures").glob("*.webp"))) == 2
    (path,) = (tmp_path / "hub" / ".eval_results").glob("*.yaml")
    lines = yaml.safe_load(path.read_text())
    row = collect([bundle / "results.json"]).leaderboards[0].rows["uce"]
    value = next(
        line["value"]
        for line in lines
        if line["dataset"]["task_id"] == "mini/smoke/style/unlearning_accuracy"
    )
    assert value == row.means["style"].scores["unlearning_accuracy"].value
    assert set(lines[0]) == {"dataset", "value", "source", "notes"}
    empty = cli("leaderboard", tmp_path / "hub")
    assert (empty.returncode, "no bundles under" in empty.stderr) == (2, True)


def row_in(results, label="uce", target="style:Neon Lines"):
    return next(
        row for row in results["rows"] if (row["label"], row["group"]["target"]) == (label, target)
    )


def mean_in(results, kind="style"):
    return next(row for row in results["means"] if (row["label"], row["kind"]) == ("uce", kind))


def test_edited_numbers(bundle):
    def better(results):
        row_in(results)["scores"]["in_domain_retain_accuracy"]["value"] = 99.9

    edit(bundle / "results.json", better)
    refused(bundle, "results.json is not the file that bundle.json names")
    seal(bundle)
    refused(
        bundle,
        "uce-style-Neon_Lines: in_domain_retain_accuracy is said to be 99.9, its predictions give",
    )


def test_an_edited_interval(bundle):
    def narrow(results):
        row_in(results)["scores"]["in_domain_retain_accuracy"]["low"] = 99.0

    edit(bundle / "results.json", narrow)
    seal(bundle)
    refused(
        bundle, "in_domain_retain_accuracy is said to be 100 [99, 100], its predictions give 100 ["
    )


def test_edited_means(bundle):
    def cheaper(results):
        mean_in(results)["ufe"] = -1.0
        mean_in(results, "object")["scores"]["in_domain_retain_accuracy"]["value"] = 1.0

    edit(bundle / "results.json", cheaper)
    seal(bundle)
    refused(
        bundle,
        "results.json, style: the cost is not the mean of its targets'",
        "results.json, object: in_domain_retain_accuracy is said to be 1, its targets give",
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("artifact", "../../elsewhere", "artifact is '../../elsewhere'"),
        ("chunks", ["../../chunk.parquet"], "chunks is ('../../chunk.parquet',)"),
        ("role", "baseline", "role is 'baseline'"),
        ("erase_seed", 7, "erasing seed is 7"),
        ("num_images", 7, "images is 7"),
        ("settings", {"ridge": 9}, "settings is {'ridge': 9}"),
        ("label", "esd", "uce-style-Neon_Lines: results.json has no row for it"),
    ],
)
def test_a_row_that_is_not_its_files(bundle, key, value, said):
    edit(bundle / "results.json", lambda results: row_in(results).update({key: value}))
    seal(bundle)
    (reason, *_) = reasons_against(bundle)
    assert said in reason


def test_a_picture_outside_the_bundle(bundle):
    edit(
        bundle / "results.json",
        lambda results: results["pictures"][0].update(path="../../../other.webp"),
    )
    seal(bundle)
    refused(bundle, "../../../other.webp is a picture that results.json names and that is not in")


def test_a_cost_that_is_not_the_artifacts(bundle):
    edit(bundle / "results.json", lambda results: row_in(results)["cost"].update(ufe=5))
    seal(bundle)
    refused(bundle, "uce-style-Neon_Lines: cost is Cost(")


def test_edited_predictions_contradict_their_probabilities(bundle):
    path = bundle / SEED
    table = pq.read_table(path)
    asked = table["style"].to_pylist()
    pq.write_table(
        table.set_column(table.column_names.index("style_pred"), "style_pred", pa.array(asked)),
        path,
    )
    seal(bundle)
    refused(bundle, "style predictions contradict the probabilities beside them")


def test_missing_cells(bundle):
    path = bundle / SEED
    pq.write_table(pq.read_table(path).slice(0, 97), path)
    seal(bundle)
    refused(bundle, "grid-seed188.parquet: holds 97 images, the protocol asks for 100")


def test_cells_in_another_place(bundle):
    path = bundle / SEED
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table.slice(1), table.slice(0, 1)]), path)
    seal(bundle)
    refused(bundle, "grid-seed188.parquet: an image is of", "the protocol asks for ('Photo',")


def test_a_missing_target(bundle):
    edit(bundle / "bundle.json", lambda manifest: manifest["targets"].remove("object:Cat"))
    refused(bundle, "object:Cat is a target of the tier and missing")


def test_other_prompts(bundle):
    path = bundle / SEED
    table = pq.read_table(path)
    prompts = [f"{prompt} Beautiful." for prompt in table["prompt"].to_pylist()]
    pq.write_table(
        table.set_column(table.column_names.index("prompt"), "prompt", pa.array(prompts)), path
    )
    seal(bundle)
    refused(bundle, "Beautiful.', the protocol asks for")


def test_everything_wrong_is_said_at_once(bundle):
    (bundle / "notes.py").write_text("print('hello')")
    (bundle / "model.pkl").write_bytes(b"\x80\x04.")
    (bundle / "link.json").symlink_to("/etc/passwd")
    refused(bundle, "notes.py is not data", "model.pkl is not data", "link.json is a link")


def test_another_version_of_the_protocol_or_an_incomplete_card(bundle):
    edit(bundle / "bundle.json", lambda manifest: manifest.update(protocol_digest="0" * 64))
    refused(bundle, "the bundle is of 000000000000: another version")


def test_a_card_without_a_contact(bundle):
    card = dict(CARD)
    del card["contact"]
    (bundle / "card.yaml").write_text(yaml.safe_dump(card))
    seal(bundle)
    refused(bundle, "contact: Field required")


def write_zip(path, names, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in names.items():
            archive.writestr(name, data, **options)
    return path


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"../bundle.json": "{}"}, "leaves the folder"),
        ({"/etc/bundle.json": "{}"}, "leaves the folder"),
        ({"bundle.json": b"\0" * 50_000_000}, "unpacks to 50,000,000 bytes: too large"),
        ({f"{row}.json": "" for row in range(6000)}, "6000 files"),
        ({"readme.txt": "hello"}, "holds 0 bundles"),
    ],
)
def test_hostile_zip_files_are_refused_before_they_are_unpacked(tmp_path, names, said):
    path = write_zip(tmp_path / "bundle.zip", names)
    done = cli("validate", path)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "bundle.json").exists()


def test_what_is_no_bundle(tmp_path):
    assert "there is no bundle.json" in reasons_against(tmp_path)[0]
    (tmp_path / "a.txt").write_text("x")
    done = cli("validate", tmp_path / "a.txt")
    assert (done.returncode, "is no bundle" in done.stderr) == (2, True)


def verify_fails(bundle, *options):
    done = cli(
        "verify", bundle, "--by", "me", "--images", "20", "--seed", "1", "--device", "cpu", *options
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return " ".join(done.stdout.split())


def test_swapped_images(bundle):
    """Pictures and digests of another eraser beside honest-looking predictions."""
    for place in (bundle / "rows").iterdir():
        with Image.open(place / "grid.webp") as picture:
            turned = picture.convert("RGB").rotate(180)
        turned.save(place / "grid.webp", quality=70)
    seal(bundle)
    assert cli("validate", bundle).returncode == 0  # nobody can tell without drawing
    said = verify_fails(bundle)
    assert said.startswith("REFUSED") or "REFUSED" in said
    assert read_verification(bundle).passed is False
    (leaderboard,) = leaderboards_of(bundle.parents[2]).leaderboards
    assert leaderboard.rows["uce"].trust == "reported"


def test_an_artifact_that_is_another_models(bundle):
    """The tensors of the two targets have changed places, each under the other's record."""
    places = sorted((bundle / "rows").iterdir())
    tensors = [load_file(place / "erased.safetensors") for place in places]
    for place, other in zip(places, reversed(tensors), strict=True):
        save_file(other, place / "erased.safetensors")
        digest = digest_tensors(other)
        change = {"tensors_digest": digest}
        edit(place / "artifact.json", lambda record, change=change: record.update(change))
    seal(bundle)
    assert cli("validate", bundle).returncode == 0
    assert "REFUSED" in verify_fails(bundle, "--images", "60")


def test_tensors_that_are_not_the_recorded_ones(bundle):
    tensors = load_file(bundle / TARGET / "erased.safetensors")
    save_file(
        {name: tensor * 1.5 for name, tensor in tensors.items()},
        bundle / TARGET / "erased.safetensors",
    )
    seal(bundle)
    done = cli("verify", bundle, "--by", "me")
    assert (done.returncode, "are not those that artifact.json names" in done.stderr) == (2, True)


def change_records(bundle, **changes):
    """Change what every target says made its model, and the same keys of the manifest."""
    for place in (bundle / "rows").glob("uce-*"):
        edit(place / "artifact.json", lambda record: record.update(changes))
    names = changes.keys() & {"source_digest", "method", "version"}
    same = {name: changes[name] for name in names}
    record = json.loads((bundle / TARGET / "artifact.json").read_text())
    revision = revision_of(Artifact.model_validate(record), {})
    edit(bundle / "bundle.json", lambda manifest: manifest.update(revision=revision, **same))
    seal(bundle)


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A class that leaves a file when it is imported; the path of that file."""
    owned = tmp_path / "owned"
    (tmp_path / "evil.py").write_text(f"open({str(owned)!r}, 'w')\nclass Eraser: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    return owned


def test_code_that_a_bundle_names_is_not_imported(bundle, evil):
    change_records(bundle, eraser_class="evil.Eraser", leaves="hook")
    done = cli("verify", bundle, "--by", "me")
    assert (done.returncode, "--trust-code" in done.stderr) == (2, True)
    assert not evil.exists()


def test_weights_of_somebody_elses_eraser_are_verified_without_its_code(bundle, evil):
    change_records(bundle, eraser_class="evil.Eraser", method="evil.Eraser")
    assert cli("validate", bundle).returncode == 0
    done = cli("verify", bundle, "--by", "me", "--images", "4", "--seed", "2", "--device", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_verification(bundle).same_predictions == 100
    assert not evil.exists()


def without_tensors(bundle, **changes):
    for place in (bundle / "rows").glob("uce-*"):
        (place / "erased.safetensors").unlink()
    edit(bundle / "bundle.json", lambda manifest: manifest.update(artifacts=[]))
    change_records(bundle, **changes)
    assert cli("validate", bundle).returncode == 0


def test_without_tensors_the_same_version_erases_again_whatever_was_edited_in_it(bundle):
    without_tensors(bundle, source_digest="0" * 64)
    done = cli("verify", bundle, "--by", "me", "--images", "30", "--seed", "2", "--device", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    found = read_verification(bundle)
    assert found.same_predictions == 100
    assert found.erased_again == ("style:Neon Lines", "object:Cat")


def test_without_tensors_another_version_cannot_verify(bundle):
    without_tensors(bundle, version=99)
    done = cli("verify", bundle, "--by", "me")
    assert (done.returncode, "made by version 99 of uce" in done.stderr) == (2, True)
    assert "--artifacts all" in done.stderr


def test_a_version_or_revision_that_is_not_the_records(bundle):
    edit(bundle / "bundle.json", lambda manifest: manifest.update(version=99, revision="0" * 8))
    refused(bundle, f"version is {UCE.version}, the bundle says 99", "the bundle says '00000000'")


def before_versions(bundle):
    """Make a bundle one of those that name the bytes of the code alone."""
    for place in (bundle / "targets").iterdir():
        edit(place / "artefact.json", lambda record: [record.pop(key, None) for key in KEYS])
    edit(bundle / "bundle.json", lambda manifest: [manifest.pop(key) for key in KEYS[:2]])
    edit(bundle / "bundle.json", lambda manifest: manifest.update(revision="4cdd96fc"))
    seal(bundle)


KEYS = ("method", "version", "leaves")
DRAWN = {".parquet", ".webp", ".safetensors", ".yaml"}


def drawn_bytes(bundle):
    return {
        path.relative_to(bundle): path.read_bytes()
        for path in bundle.rglob("*")
        if path.suffix in DRAWN or path.name in ("artifact.json", "artefact.json")
    }


NAME = "in_domain_retain_accuracy"


def verification_of(bundle, **fields):
    return Verification(
        by="me", date="2026-11-24", manifest_digest=digest_file(bundle / "bundle.json"), seed=3,
        images=4, same_pixels=100, same_predictions=100, low=50, high=100, distance=0.0,
        passed=True, **fields,
    )  # fmt: skip


def test_resealing_an_old_bundle_scores_again_and_keeps_its_verification(tmp_path):
    """One of version 0.5: other scores, keyed by the bytes of the code, and verified."""
    (committed,) = (OF_0_6 / "mini" / "esd").iterdir()
    old = tmp_path / "mini" / "esd" / "4cdd96fc"
    shutil.copytree(committed, old)
    wanted = json.loads((old / "results.json").read_text())
    before_versions(old)
    target = old / "targets" / "style-Mosaic" / "result.json"
    edit(target, lambda said: said["scores"][NAME].update(value=1.0))
    edit(old / "results.json", lambda said: said["rows"][0]["scores"][NAME].update(value=1.0))
    seal(old)
    (reason,) = reasons_against(old, protocol=EARLIER)
    assert f"style-Mosaic: {NAME} is said to be 1, its predictions give" in reason
    write_verification(old, verification_of(old))
    before = drawn_bytes(old)
    done = cli("reseal", old.parents[2], "--protocol", EARLIER)
    assert done.returncode == 0, done.stdout + done.stderr
    new = old.with_name(committed.name)
    assert f"{new.name}, 1 scores changed, verified as before" in done.stdout
    assert f"style {NAME}: 1" in done.stdout
    assert [path.name for path in old.parent.iterdir()] == [new.name]
    assert drawn_bytes(new) == before
    found = json.loads((new / "results.json").read_text())
    assert found.pop("root") == "."
    paths = [f"targets/{Path(path).parent.name}/result.json" for path in wanted["results"]]
    assert found == wanted | {"results": paths}
    assert json.loads((new / target.relative_to(old)).read_text()) == json.loads(
        (committed / target.relative_to(old)).read_text()
    )
    assert reasons_against(new, protocol=EARLIER) == []
    assert provenance_of(new) == "verified"
    assert read_verification(new).resealed


def test_resealing_scores_again_and_keeps_a_verification(bundle):
    wanted = json.loads((bundle / "results.json").read_text())
    edit(bundle / "results.json", lambda said: row_in(said)["scores"][NAME].update(value=1.0))
    edit(bundle / "results.json", lambda said: mean_in(said)["scores"][NAME].update(value=1.0))
    seal(bundle)
    evidence = evidence_digest(read_manifest(bundle))
    write_verification(bundle, verification_of(bundle, evidence_digest=evidence))
    before = drawn_bytes(bundle)
    done = cli("reseal", bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{bundle.name}, 1 scores changed, verified as before" in done.stdout
    assert drawn_bytes(bundle) == before
    assert json.loads((bundle / "results.json").read_text()) == wanted
    assert cli("validate", bundle).returncode == 0
    assert provenance_of(bundle) == "verified"
    again = cli("verify", bundle, "--by", "me", "--images", "4", "--seed", "3", "--device", "cpu")
    assert again.returncode == 0, again.stdout


def test_resealing_takes_nothing_that_was_changed_by_hand(bundle):
    path = bundle / SEED
    path.write_bytes(path.read_bytes() + b" ")
    done = cli("reseal", bundle)
    said = "is not as it was sealed, nothing was changed"
    assert (done.returncode, said in done.stderr) == (2, True)


def test_another_bundles_verification_is_not_kept(bundle):
    """Predictions changed and sealed after the verification, by somebody who then reseals."""
    evidence = evidence_digest(read_manifest(bundle))
    found = verification_of(bundle, evidence_digest=evidence)
    write_verification(bundle, found)
    assert provenance_of(bundle) == "verified"
    path = bundle / SEED
    pq.write_table(pq.read_table(path), path, compression="none")
    seal(bundle)
    # and names the digest of the changed manifest himself
    forged = found.model_copy(update={"manifest_digest": digest_file(bundle / "bundle.json")})
    write_verification(bundle, forged)
    assert provenance_of(bundle) == "reported"
    done = cli("reseal", bundle)
    assert (done.returncode, "not verified" in done.stdout) == (0, True)
    assert read_verification(bundle) is None
    assert provenance_of(bundle) == "reported"


def test_a_run_of_another_erase_seed_is_not_taken_in_silence(made, tmp_path):
    runs = tmp_path / "moved"  # what files say of one another holds wherever they lie
    shutil.copytree(made.parents[3] / "runs", runs)
    done = run(
        "unlearncanvas.bench", "--eraser", "uce", "--tier", "smoke", "--device", "cpu", "--out",
        str(runs), "--erase-seeds", "1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    both = sorted(path.parent for path in runs.glob("mini/uce-*/smoke*/results.json"))
    assert len(both) == 2
    card = made.parents[3] / "card.yaml"
    submit = ["--eraser", "uce", "--card", card, "--out", tmp_path / "submissions"]
    refused = cli("submit", runs, *submit)
    assert refused.returncode == 2
    assert all(str(folder) in "".join(refused.stderr.splitlines()) for folder in both)
    assert "2 runs of 'uce'" in refused.stderr
    assert not (tmp_path / "submissions").exists()
    taken = cli("submit", both[0], *submit)
    assert taken.returncode == 0, taken.stdout + taken.stderr
    (bundle,) = (tmp_path / "submissions").glob("mini/uce/*")
    assert {row.erase_seed for row in read_results(bundle / "results.json").rows} == {0}
    (leaderboard,) = collect([bundle]).leaderboards
    assert set(leaderboard.rows["uce"].rows) == {"style:Neon Lines", "object:Cat"}
    tensors = next(runs.glob("mini/uce-*/object-Cat-seed0/erased.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:-9])
    torn = cli("submit", both[0], *submit)
    assert (torn.returncode, "holds no readable artifact" in torn.stderr) == (2, True)
    chunk = next(runs.glob("mini/uce-*/object-Cat-seed0/grid/*.parquet"))
    chunk.unlink()
    gone = cli("submit", both[0], *submit)
    assert (gone.returncode, "not there any more; run the benchmark" in gone.stderr) == (2, True)


def test_no_such_run(made, tmp_path):
    runs = made.parents[3] / "runs"
    done = cli("submit", runs, "--eraser", "esd", "--out", tmp_path)
    assert (done.returncode, "no finished run of 'esd'" in done.stderr) == (2, True)


def test_the_bundles_of_0_6_are_whole_and_of_an_earlier_protocol():
    found = list(bundles(OF_0_6))
    assert len(found) == 10
    for folder in found:
        assert broken_seal(folder, EARLIER) == []
    (leaderboard,) = leaderboards_of(OF_0_6).leaderboards
    assert leaderboard.title == "mini · earlier protocol · 6 targets · 2 seeds"
    assert {row.trust for row in leaderboard.rows.values()} == {"verified"}
    assert leaderboard.rows.keys() == {folder.parent.name for folder in found}


def test_small_tensors_are_those_of_cross_attention_and_of_adapters():
    """What one target of the runs of 0.6 left, as it would be put into a bundle by default."""
    small = {
        folder.parent.name
        for folder in bundles(OF_0_6)
        if all(row.stored_bytes < SMALL for row in read_results(folder / "results.json").means)
    }
    assert {"ca", "esd", "fmn", "seot", "spm", "uce"} <= small
    assert not {"ediff", "salun", "shs"} & small


def test_a_bundle_of_0_6_says_what_its_predictions_say():
    (folder,) = (OF_0_6 / "mini" / "esd").iterdir()
    assert reasons_against(folder, protocol=EARLIER) == []
