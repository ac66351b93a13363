"""Images made elsewhere: names are read back, and a folder scores as the same images in memory."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.small_grid import bench, environment, write_protocol
from unlearncanvas.canvases.unlearncanvas.image_folder import (
    find_images,
    official_name,
    read_images,
)
from unlearncanvas.evaluations.grid.protocol import load_protocol


def test_official_names_are_read_back(tmp_path):
    """All 1,020 cells at a seed, as the release spells them: Seed_Images, Van_Gogh."""
    protocol = load_protocol("unlearncanvas")
    for cell in protocol.cells():
        (tmp_path / official_name(cell, 188)).touch()
    found = find_images(tmp_path, protocol.cells(), protocol=protocol.name, seed=188)
    assert set(found) == {188}
    assert len(found[188]) == 1020
    for cell, path in found[188].items():
        assert path.name == official_name(cell, 188)
    assert (tmp_path / "Seed_Images_Cats_seed188.jpg").exists()
    assert (tmp_path / "Red_Blue_Ink_Architectures_seed188.jpg").exists()


@pytest.fixture
def small(tmp_path):
    return load_protocol(str(write_protocol(tmp_path)))


def fill(folder, protocol, size=(64, 64), seed=188):
    folder.mkdir(exist_ok=True)
    for cell in protocol.cells():
        Image.new("RGB", size).save(folder / official_name(cell, seed).replace(".jpg", ".png"))
    return folder


def test_what_is_no_whole_grid_is_refused(small, tmp_path):
    def refused(match):
        with pytest.raises(ValueError, match=match):
            find_images(folder, small.cells(), protocol=small.name, seed=188)

    folder = fill(tmp_path / "images", small)
    (folder / "Mosaic_Cat_seed188.png").unlink()
    (folder / "Seed_Images_Sun_seed188.png").unlink()
    refused("2 of 6 images of seed 188 are missing: Seed_Images_Sun_seed188.jpg, Mosaic_Cat_seed")
    fill(folder, small)
    (folder / "Mosaic" / "Cat").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(folder / "Mosaic" / "Cat" / "seed188.png")
    refused("are the same cell at the same seed")
    shutil.rmtree(folder / "Mosaic")
    (folder / "Mosaic_Dog_seed188.png").touch()
    refused("Mosaic_Dog_seed188.png names no cell of small: expected Neon_Lines_Sun_seed188.jpg")
    shutil.rmtree(folder)
    folder.mkdir()
    refused("holds no images")


def test_images_of_another_size_and_damaged_ones(small, tmp_path):
    folder = fill(tmp_path / "images", small, size=(32, 64))
    path = folder / "Mosaic_Cat_seed188.png"
    with pytest.raises(ValueError, match="is 32 x 64 pixels, the protocol draws 64 x 64"):
        read_images([path], width=64, height=64)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match="is damaged"):
        read_images([path], width=64, height=64)


def score(protocol, folder, out, *options):
    command = [
        sys.executable, "-m", "unlearncanvas.cli.main", "score", "--images", str(folder), "--name",
        "elsewhere", "--protocol", str(protocol), "--out", str(out), "--device", "cpu", *options,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)


@pytest.mark.slow
def test_a_folder_scores_as_the_same_images_in_memory(tmp_path):
    metrics = ["unlearning_accuracy", "drift", "residual", "fid_minicanvas"]
    protocol = write_protocol(tmp_path, metrics=metrics)
    drawn = bench(protocol, tmp_path / "runs", "--targets", "Mosaic", "--keep-images")
    assert drawn.returncode == 0, drawn.stderr
    (memory,) = tmp_path.glob("runs/small/esd-*/custom-*/results.json")
    (images,) = tmp_path.glob("runs/small/esd-*/style-Mosaic-seed0/images/grid")
    results = json.loads(memory.read_text())
    (expected,) = [row for row in results["rows"] if row["label"] == "esd"]
    assert expected["scores"].pop("drift")["value"] > 0
    flat = tmp_path / "answers" / "Mosaic"
    flat.mkdir(parents=True)
    for path in images.rglob("*.png"):
        style, obj = path.relative_to(images).parts[:2]
        os.link(path, flat / f"{style}_{obj}_{path.name}")
    for folder, options in ((images, ["--target", "Mosaic"]), (tmp_path / "answers", [])):
        done = score(protocol, folder, tmp_path / "scored", *options)
        assert done.returncode == 0, done.stderr
        assert "not measured" in done.stdout
        assert "drift left out: it takes the base model's images" in done.stdout
        (path,) = tmp_path.glob("scored/small/elsewhere-images/results.json")
        scored = json.loads(path.read_text())
        (found,) = scored["rows"]
        for part in ("scores", "details", "group", "num_images"):
            assert found[part] == expected[part]
        assert (scored["seeds"], scored["protocol_digest"]) == (
            results["seeds"], results["protocol_digest"],
        )  # fmt: skip
        assert found["cost"] is None
    with Image.open(next(images.rglob("*.png"))) as image:
        spoilt = Image.fromarray(255 - np.asarray(image))
    spoilt.save(next(flat.glob("Neon_Lines_Cat*")))
    again = score(protocol, tmp_path / "answers", tmp_path / "scored")
    assert again.returncode == 0
    (spoilt_row,) = json.loads(path.read_text())["rows"]
    assert spoilt_row["artifact_digest"] != found["artifact_digest"]
    missing = score(protocol, tmp_path / "nowhere", tmp_path / "scored")
    assert (missing.returncode, "no such folder" in missing.stderr) == (2, True)
