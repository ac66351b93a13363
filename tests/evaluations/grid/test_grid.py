"""The grid evaluation end to end on the mini canvas: complete, resumable, same to the digit."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.fixtures.small_grid import bench, command, environment, numbers, write_protocol
from unlearncanvas.results.reading import read_results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One undisturbed run: its folder, its protocol, what it printed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    protocol = write_protocol(folder, worded=True)
    done = bench(protocol, folder / "runs")
    assert done.returncode == 0, done.stderr
    return folder / "runs", protocol, done.stdout


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def only(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def test_table_pictures_and_files(finished):
    out, _, printed = finished
    for text in ("none", "noise", "esd", "UA", "IRA", "CRA", "FID", "UFE an", "results.json"):
        assert text in printed
    run = only(out, "small/esd-*/quick")
    assert pixels(run / "heatmap.png").shape[1] > 400
    assert pixels(run / "sheet-esd-style-Mosaic.png").shape[1] > 200
    results = read_results(run / "results.json")
    assert [(row.label, row.kind) for row in results.means] == [
        ("none", "style"), ("none", "object"), ("noise", "style"), ("noise", "object"),
        ("esd", "style"), ("esd", "object"),
    ]  # fmt: skip
    assert not results.subset
    assert results.means[4].targets == ("style:Mosaic", "style:Neon Lines")
    for path in (path for row in results.rows for path in (*row.chunks, row.artifact)):
        assert (run / path).exists()


def test_result_has_scores_cost_and_digests(finished):
    out, _, _ = finished
    results = json.loads((only(out, "small/esd-*/quick") / "results.json").read_text())
    (result,) = [
        row
        for row in results["rows"]
        if (row["label"], row["group"]) == ("esd", {"target": "style:Mosaic"})
    ]
    assert result["num_images"] == 12 + 4 * 2 + 3  # the grid, other wordings, mixed ones
    assert result["cost"]["ufe"] > 0
    assert result["ufe_per_image"] == 4  # two steps, two halves
    assert result["cost"]["stored_bytes"] > 0
    assert result["scores"]["unlearning_accuracy"]["n"] == 4
    assert set(result["details"]) == {
        "style:Photo", "style:Mosaic", "style:Neon Lines", "object:Cat", "object:Sun",
    }  # fmt: skip
    assert len(results["protocol_digest"]) == len(result["artifact_digest"]) == 64


def test_baselines_are_drawn_once_for_all_targets(finished):
    out, _, _ = finished
    assert len(list(out.glob("small/none-*/all/grid/*.parquet"))) == 2
    assert len(list(out.glob("small/esd-*/*/grid/*.parquet"))) == 6


def test_again_draws_nothing(finished):
    out, protocol, _ = finished
    before, chunks = numbers(out), {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")}
    done = bench(protocol, out)
    assert done.returncode == 0
    assert numbers(out) == before
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")} == chunks


def test_kill_9_and_the_same_command_give_the_same_digits(finished, tmp_path):
    undisturbed, protocol, _ = finished
    out = tmp_path / "runs"
    process = subprocess.Popen(
        command(protocol, out), env=environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(out.glob("small/esd-*/*/grid/*.json")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert 0 < len(kept) < len(list(undisturbed.rglob("*.parquet")))
    assert bench(protocol, out).returncode == 0
    assert numbers(out) == numbers(undisturbed)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())


def test_two_runs_at_once_into_one_folder(finished, tmp_path):
    undisturbed, protocol, _ = finished
    out = tmp_path / "runs"
    both = [
        subprocess.Popen(
            command(protocol, out), env=environment(), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in both:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    assert numbers(out) == numbers(undisturbed)


def test_what_is_torn_is_made_again_and_said(finished, tmp_path):
    """A chunk, a preview picture, an artifact whose chunks are all there; all in one run."""
    import shutil

    undisturbed, protocol, _ = finished
    out = tmp_path / "runs"
    shutil.copytree(undisturbed, out)
    torn = [
        sorted(out.glob("small/none-*/all/grid/*.parquet"))[0],
        sorted(out.glob("small/esd-*/style-Mosaic-seed0/grid/*.webp"))[0],
        only(out, "small/esd-*/object-Cat-seed0/erased.safetensors"),
    ]
    whole = [path.read_bytes() for path in torn]
    for path, data in zip(torn, whole, strict=True):
        path.write_bytes(data[: len(data) // 2])
    done = bench(protocol, out)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert said.count("damaged; drawing it again") == 2
    assert said.count("erasing again") == 1
    assert [path.read_bytes() for path in torn[1:]] == whole[1:]
    assert numbers(out) == numbers(undisturbed)
    assert not list(out.rglob("*.partial"))


def test_other_settings_do_not_reuse_the_artifact(finished, tmp_path):
    import shutil

    undisturbed, protocol, _ = finished
    out = tmp_path / "runs"
    shutil.copytree(undisturbed, out)
    done = bench(protocol, out, "--set", "lr=0.5", "--tier", "smoke")
    assert done.returncode == 0, done.stderr
    folders = sorted(path.name for path in out.glob("small/esd-*"))
    assert len(folders) == 2
    digests = {
        json.loads(path.read_text())["digest"]
        for path in out.glob("small/esd-*/style-Mosaic-seed0/artifact.json")
    }
    assert len(digests) == 2


def test_a_third_partys_edited_eraser_is_another_eraser(tmp_path):
    protocol = write_protocol(tmp_path)
    code = (
        "from dataclasses import dataclass\nfrom erasers.base import Eraser\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Mine(Eraser):\n"
        "    def erase(self, pipe, task):\n        pipe.unet.conv_out.bias.data.add_({})\n"
    )
    (tmp_path / "mine_eraser.py").write_text(code.format(1))
    run = [
        sys.executable, "-m", "unlearncanvas.bench", "--eraser", "mine_eraser:Mine", "--protocol",
        str(protocol), "--out", str(tmp_path / "runs"), "--tier", "smoke",
    ]  # fmt: skip
    env = {**environment(), "PYTHONPATH": str(tmp_path)}
    first = subprocess.run(run, env=env, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    (tmp_path / "mine_eraser.py").write_text(code.format(2))
    second = subprocess.run(run, env=env, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    assert len(list((tmp_path / "runs").glob("small/mine-*/style-*/erased.safetensors"))) == 2


def test_kept_images_are_those_whose_digests_are_stored(finished, tmp_path):
    import hashlib

    import pyarrow.parquet as pq

    _, protocol, _ = finished
    out = tmp_path / "runs"
    done = bench(protocol, out, "--tier", "smoke", "--keep-images")
    assert done.returncode == 0, done.stderr
    folder = only(out, "small/esd-*/style-Mosaic-seed0")
    rows = pq.read_table(next((folder / "grid").glob("*.parquet"))).to_pylist()
    for row in rows:
        style = row["style"].replace(" ", "_")
        name = folder / "images" / "grid" / style / row["object"] / "seed188.png"
        assert hashlib.sha256(pixels(name).tobytes()).hexdigest() == row["sha256"]


def test_runs_of_a_subset_say_so(finished):
    out, protocol, _ = finished
    done = bench(protocol, out, "--tier", "smoke")
    assert "subset" in done.stdout
    assert read_results(only(out, "small/esd-*/smoke") / "results.json").subset


def test_export_is_a_plain_diffusers_folder(finished, tmp_path):
    import torch
    from diffusers import StableDiffusionPipeline

    from unlearncanvas import load_erased
    from unlearncanvas.pipelines.artifacts import tensors_of
    from unlearncanvas.pipelines.base_model import load_base

    out, _, _ = finished
    artifact = only(out, "small/esd-*/style-Mosaic-seed0")
    done = subprocess.run(
        [sys.executable, "-m", "unlearncanvas.cli.main", "export", str(artifact),
         str(tmp_path / "x")], capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    plain = tensors_of(StableDiffusionPipeline.from_pretrained(tmp_path / "x"))
    erased = tensors_of(load_erased(artifact, load_base("minicanvas")))
    base = tensors_of(load_base("minicanvas"))
    assert all(torch.equal(plain[name], erased[name]) for name in erased)
    assert any(not torch.equal(base[name], erased[name]) for name in erased)


def test_adapters_hooks_and_generated_images_run_in_one_evaluation(tmp_path):
    """One run of three kinds of eraser: compared side by side, and the same when run again."""
    protocol = write_protocol(tmp_path)
    small = {
        "ca": "class: erasers.ca.CA\nnum_images: 3\nimage_steps: 1\nsteps: 1\n",
        "spm": "class: erasers.spm.SPM\nsteps: 2\nwarmup: 0\nnum_inference_steps: 2\n",
        "seot": "class: erasers.seot.SEOT\nuntouched: 0.0\n",
    }
    erasers = []
    for name, text in small.items():
        (tmp_path / f"{name}.yaml").write_text(text)
        erasers += ["--eraser", str(tmp_path / f"{name}.yaml")]
    runs = []
    for out in (tmp_path / "one", tmp_path / "two", tmp_path / "one"):
        done = subprocess.run(
            [
                sys.executable, "-m", "unlearncanvas.bench", *erasers, "--protocol", str(protocol),
                "--tier", "smoke", "--out", str(out), "--device", "cpu",
            ],
            capture_output=True, text=True, env=environment(), check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        runs.append(numbers(out))
    assert runs[0] == runs[1] == runs[2]
    sheet = only(tmp_path / "one", "small/ca+spm+seot-*/smoke/compare-style-Mosaic.png")
    assert pixels(sheet).shape[0] > 200
    results = read_results(only(tmp_path / "one", "small/ca+spm+seot-*/smoke/results.json"))
    work = {row.label: (row.ufe, row.gallery_ufe) for row in results.means}
    assert work["ca"] == (8 * 4, 3 * 2)  # a step of 8 images; 3 images, one guided step each
    assert work["seot"] == (0, 0)


def test_weights_that_are_dropped_leave_the_same_numbers_and_are_not_missed(finished, tmp_path):
    out, protocol, _ = finished
    done = bench(protocol, tmp_path, "--artifacts", "dropped")
    assert done.returncode == 0, done.stderr
    mine, whole = numbers(tmp_path), numbers(out)
    for result in (*mine.values(), *whole.values()):
        result.pop("config", None)
    assert mine == {path: whole[path] for path in mine}
    assert len(mine) == 1
    assert not list(tmp_path.rglob("erased.safetensors"))
    records = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("artifact.json")}
    assert len(records) == 5
    again = bench(protocol, tmp_path)
    assert again.returncode == 0
    assert "erasing again" not in again.stdout + again.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("artifact.json")} == records
    assert bench(protocol, tmp_path, "--artifacts", "all").returncode == 2


def test_half_precision_halves_the_file_and_is_another_artifact(finished, tmp_path):
    out, protocol, _ = finished
    done = bench(protocol, tmp_path, "--artifacts", "half", "--tier", "smoke")
    assert done.returncode == 0, done.stderr
    half = only(tmp_path, "small/esd-*/style-Mosaic-seed0")
    whole = only(out, "small/esd-*/style-Mosaic-seed0")
    assert half.parent.name != whole.parent.name
    stored, full = (load_file(path / "erased.safetensors") for path in (half, whole))
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    for name, tensor in full.items():
        torch.testing.assert_close(stored[name], tensor.half(), rtol=0, atol=0)
    cost = json.loads((half / "artifact.json").read_text())["cost"]
    assert 2 * cost["stored_bytes"] == sum(tensor.nbytes for tensor in full.values())
