"""The protocol of UnlearnCanvas end to end: a folder of Stable Diffusion's format, its classifiers,
its dataset, its Inception; all small, of the same layout."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import timm
import torch
import yaml
from PIL import Image
from torchvision import models

from unlearncanvas.config import find_config, read_yaml
from unlearncanvas.inception import PublishedInception
from unlearncanvas.results import read_results

pytestmark = pytest.mark.slow
CELLS = [
    (style, obj) for style in ("Seed_Images", "Cartoon", "Van_Gogh") for obj in ("Cats", "Dogs")
]


@pytest.fixture(scope="module")
def place(tiny_base, tmp_path_factory):
    """A folder with all that a user would fetch, and the protocol at a small size."""
    folder = tmp_path_factory.mktemp("real")
    tiny_base.save_pretrained(folder / "style50")
    torch.manual_seed(0)
    for name, count in (("style50.pth", 51), ("style50_cls.pth", 20)):
        model = timm.create_model("test_vit", num_classes=count, img_size=32)
        (folder / "cls_model").mkdir(exist_ok=True)
        torch.save({"model_state_dict": model.state_dict()}, folder / "cls_model" / name)
    network = models.inception_v3(weights=None, transform_input=True, init_weights=False)
    (folder / "inception").mkdir()
    torch.save(network.state_dict(), folder / "inception" / PublishedInception.file)
    rng = np.random.default_rng(0)
    for style, obj in CELLS:
        (folder / "data" / style / obj).mkdir(parents=True)
        for index in range(11, 21):
            image = Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8))
            image.save(folder / "data" / style / obj / f"{index}.jpg")
    rules = read_yaml(find_config("protocols", "unlearncanvas"))
    rules["sampler"].update(num_inference_steps=2, height=32, width=32, batch_size=3)
    rules["detectors"].update(architecture="test_vit", image_size=32)
    metrics = [name for name in rules["metrics"] if not name.endswith("clean")]
    rules.update(name="small-real", metrics=metrics)
    (folder / "small-real.yaml").write_text(yaml.safe_dump(rules))
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
    done = bench(place, "--out", str(out), "--any-base", "--dataset", str(place / "data"))
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_the_smoke_tier_end_to_end(finished):
    out, printed = finished
    (path,) = out.glob("small-real/uce-*/smoke/results.json")
    results = read_results(path)
    assert [(row.label, row.kind) for row in results.rows][-2:] == [
        ("uce", "style"), ("uce", "object"),
    ]  # fmt: skip
    assert results.limited
    assert results.seeds == (188,)
    scores = results.rows[-1].scores
    assert set(scores) == {
        "unlearning_accuracy", "in_domain_retain_accuracy", "cross_domain_retain_accuracy",
        "target_cross_domain_accuracy", "fid_inception_torchvision",
    }  # fmt: skip
    assert set(results.floors) == {"fid_inception_torchvision"}
    assert "FID (torchvision)" in printed
    for name in ("style-Van_Gogh", "object-Dogs"):
        (result,) = out.glob(f"small-real/uce-*/smoke/{name}-seed0/result.json")
        assert json.loads(result.read_text())["num_images"] == 6
        assert (result.parent / "sheet.png").is_file()


def test_features_of_real_images_are_computed_once(finished, place):
    """The second run reads them from the disk: it would fail without the images."""
    out, _ = finished
    before = {path.stat().st_mtime_ns for path in out.glob("small-real/reference/*.npz")}
    assert len(before) == 2
    moved = place / "data" / "Van_Gogh" / "Dogs"
    moved.rename(place / "elsewhere")
    try:
        done = bench(place, "--out", str(out), "--any-base", "--dataset", str(place / "data"))
    finally:
        (place / "elsewhere").rename(moved)
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_mtime_ns for path in out.glob("small-real/reference/*.npz")} == before


def test_without_the_dataset_the_other_metrics_come_out(place, tmp_path):
    done = bench(place, "--out", str(tmp_path), "--any-base")
    assert done.returncode == 0, done.stderr
    assert "FID and KID are left out" in done.stdout
    (path,) = tmp_path.glob("small-real/uce-*/smoke/results.json")
    results = read_results(path)
    assert results.floors == {}
    assert len(results.rows[-1].scores) == 4


def test_a_base_model_that_the_detectors_do_not_know(place, tmp_path):
    done = bench(place, "--out", str(tmp_path))
    assert done.returncode == 2
    assert "the style detector recognises" in done.stderr
    assert "--any-base to go on all the same" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_real_images_for_erasers_come_from_the_dataset(place, tmp_path):
    done = bench(place, "--out", str(tmp_path), "--any-base", "--eraser", "ft")
    assert done.returncode == 2
    assert "OPTML-Group/UnlearnCanvas, 77 GB) and name its folder with --dataset" in done.stderr
