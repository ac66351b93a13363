"""The protocol of UnlearnCanvas end to end: a folder of Stable Diffusion's format, its classifiers,
its dataset, its Inception; all small, of the same layout."""

import os
import subprocess
import sys

import pytest

from tests.fixtures.real_place import furnish
from unlearncanvas.results.reading import read_results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tiny_base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    furnish(folder, tiny_base)
    return folder


def bench(place, *options):
    command = [
        sys.executable, "-m", "unlearncanvas.bench", "--protocol", str(place / "small-real.yaml"),
        "--model", str(place / "style50"), "--detectors", str(place / "cls_model"), "--eraser",
        "uce", "--tier", "smoke", "--inception", str(place / "inception"), "--device", "cpu",
        "--dtype", "float32", *options,
    ]  # fmt: skip
    env = {**os.environ, "COLUMNS": "200", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.fixture(scope="module")
def finished(place):
    out = place / "runs"
    done = bench(place, "--out", str(out), "--skip-base-check", "--dataset", str(place / "data"))
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_the_smoke_tier_end_to_end(finished):
    out, printed = finished
    (path,) = out.glob("small-real/uce-*/smoke/results.json")
    results = read_results(path)
    assert [(row.label, row.kind) for row in results.means][-2:] == [
        ("uce", "style"), ("uce", "object"),
    ]  # fmt: skip
    assert results.subset
    assert results.seeds == (188,)
    scores = results.means[-1].scores
    assert set(scores) == {
        "unlearning_accuracy", "in_domain_retain_accuracy", "cross_domain_retain_accuracy",
        "target_cross_domain_accuracy", "fid_inception_torchvision",
    }  # fmt: skip
    assert set(results.real_vs_real) == {"fid_inception_torchvision"}
    assert "FID (torchvision)" in printed
    for name in ("style-Van_Gogh", "object-Dogs"):
        assert (path.parent / f"sheet-uce-{name}.png").is_file()
    assert {row.num_images for row in results.rows} == {6}


def test_features_of_real_images_are_computed_once(finished, place):
    """The second run reads them from the disk: it would fail without the images."""
    out, _ = finished
    before = {path.stat().st_mtime_ns for path in out.glob("small-real/reference/*.npz")}
    assert len(before) == 2
    moved = place / "data" / "Van_Gogh" / "Dogs"
    moved.rename(place / "elsewhere")
    try:
        done = bench(
            place, "--out", str(out), "--skip-base-check", "--dataset", str(place / "data")
        )
    finally:
        (place / "elsewhere").rename(moved)
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_mtime_ns for path in out.glob("small-real/reference/*.npz")} == before


def test_without_the_dataset_the_other_metrics_come_out(place, tmp_path):
    done = bench(place, "--out", str(tmp_path), "--skip-base-check")
    assert done.returncode == 0, done.stderr
    assert "(FID, KID, artifacts) are left out" in done.stdout
    (path,) = tmp_path.glob("small-real/uce-*/smoke/results.json")
    results = read_results(path)
    assert results.real_vs_real == {}
    assert len(results.means[-1].scores) == 4


def test_a_base_model_that_the_detectors_do_not_know(place, tmp_path):
    done = bench(place, "--out", str(tmp_path))
    assert done.returncode == 2
    assert "the style detector recognizes" in done.stderr
    assert "--skip-base-check to go on all the same" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_real_images_for_erasers_come_from_the_dataset(place, tmp_path):
    done = bench(place, "--out", str(tmp_path), "--skip-base-check", "--eraser", "ft")
    assert done.returncode == 2
    assert "OPTML-Group/UnlearnCanvas, 77 GB) and name its folder with --dataset" in done.stderr
