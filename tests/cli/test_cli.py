"""Bad input: one clear line, exit code 2, nothing lost."""

import re
import subprocess

import pytest

from tests.fixtures.in_process import run
from tests.fixtures.small_grid import bench, command, environment, write_protocol

SMOKE = ("--tier", "smoke")


def test_a_mistake_is_exit_code_2_of_the_process(tmp_path):
    done = bench("mimi", tmp_path / "runs")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "unknown protocol 'mimi'; did you mean mini" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--eraser", "edd"], "unknown eraser 'edd'; did you mean esd"),
        (["--targets", "Pop Arts"], "unknown target 'Pop Arts'; did you mean Pop Art"),
        (["--targets", "Photo"], "unknown target 'Photo'"),
        (["--set", "stepz=3"], "unknown setting of eraser esd 'stepz'; did you mean steps"),
        (["--set", "eta=0"], "eta: Input should be greater than 0, got 0"),
        (["--set", "steps=0"], "steps: Input should be greater than 0, got 0"),
        (["--tier", "quik"], "unknown tier 'quik'; did you mean quick"),
        (["--protocol", "mimi"], "unknown protocol 'mimi'; did you mean mini"),
        (["--seeds", "1,x"], "--seeds takes different integers from 0 to 9223372036854775807"),
        (["--seeds", "1,1"], "(2^63 - 1), separated by commas, got '1,1'"),
        (["--dtype", "float64"], "--dtype takes float32, bfloat16 or float16, got 'float64'"),
        (["--device", "tpu"], "--device takes auto, cpu, mps, cuda or cuda:1, got 'tpu'"),
        (["--model", "tests"], "it is no diffusers folder, it has no model_index.json"),
        (["--model", "no-such-folder"], "cannot load 'no-such-folder'"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(options, message, tmp_path):
    eraser = [] if "--eraser" in options else ["--eraser", "esd"]
    done = run("unlearncanvas.bench", *eraser, "--out", str(tmp_path / "runs"), *options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_a_model_the_detectors_were_not_made_for(tmp_path, tiny_base):
    tiny_base.save_pretrained(tmp_path / "other")
    done = run(
        "unlearncanvas.bench", "--eraser", "esd", "--model", str(tmp_path / "other"),
        "--out", str(tmp_path / "runs"),
    )  # fmt: skip
    assert done.returncode == 2
    assert "detectors of this protocol were not made for" in done.stderr


def test_an_output_path_that_is_a_file(tmp_path):
    (tmp_path / "runs").write_text("")
    done = run("unlearncanvas.bench", "--eraser", "esd", "--out", str(tmp_path / "runs"))
    assert done.returncode == 2
    assert "runs" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("place", ["/dev/full", "/proc"])
def test_a_place_where_nothing_can_be_written(place):
    done = run("unlearncanvas.bench", "--eraser", "esd", "--out", f"{place}/runs")
    assert done.returncode == 2
    assert place in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_full_disk_loses_nothing(tmp_path):
    """A limit on the size of files stands in for the disk: the artifact of noise is 24 MB."""
    protocol, out = write_protocol(tmp_path), tmp_path / "runs"
    full = subprocess.run(
        ["bash", "-c", 'ulimit -f 2000; exec "$@"', "bash", *command(protocol, out, *SMOKE)],
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert full.returncode == 2, full.stdout + full.stderr
    assert "cannot write" in full.stderr
    assert full.stderr.count("\n") == 1
    kept = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert kept
    done = bench(protocol, out, *SMOKE)
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())


def test_help_teaches():
    done = run("unlearncanvas.bench", "--help")
    assert done.returncode == 0
    for text in ("--eraser", "--tier", "--set", "--dry-run", "Examples:", "mypackage.mymodule"):
        assert text in done.stdout


def test_dry_run_draws_nothing(tmp_path):
    protocol = write_protocol(tmp_path, worded=True)
    done = bench(protocol, tmp_path / "runs", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "images" in done.stdout
    assert "UFE" in done.stdout
    assert "minutes on this cpu" in done.stdout
    # 12 images of the grid of each of 5 models; in other wordings 31 of either baseline, 37 of esd:
    # 256 features of 2 bytes, 12 + 12 probabilities of 4, the rest
    assert f"disk: {159 * (2 * 256 + 4 * 24 + 400) / 1000:.1f} kB of predictions" in done.stdout
    assert "(UNets, whole); free under" in done.stdout
    assert not (tmp_path / "runs").exists()
    # 2 steps of 2 halves; 3 erasures of 2 steps
    assert "159 images: 636 UFE to draw them" in done.stdout
    found = re.search(
        r"time: 159 images at ([\d.]+) ms: ([\d.]+) minutes; erasing: about ([\d.]+) minutes; "
        r"together about ([\d.]+) minutes",
        done.stdout,
    )
    each, drawing, erasing, together = map(float, found.groups())
    assert drawing == pytest.approx(159 * each / 60_000, abs=0.06)
    assert together == pytest.approx(drawing + erasing, abs=0.11)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--protocol", "unlearncanvas", "--eraser", "esd"),
            ["800 images: 160,000 UFE to draw them", "about 324,000 UFE to erase",
             "6 models:    600 images, UFE a model about 54,000 ± 913",
             f"{800 * (2 * (2 * 1024 + 2 * 2048) + 4 * 71 + 400) / 1e6:.1f} MB of predictions",
             f"{8 * 4 * 859_520_964 / 1e9:.1f} GB (UNets of Stable Diffusion 1.5, whole)"],
        ),
        (
            ("--protocol", "unlearncanvas", "--eraser", "ca", "--tier", "smoke"),
            ["UFE a model 3,200, and 100,000 for images to learn from",
             "about 106,400 UFE to erase"],
        ),
        (
            ("--protocol", "backdoor-sd", "--eraser", "skd", "--known-fraction", "0.5"),
            ["skd              1 models:", "UFE to draw them", "disk: ",
             f"{2 * 4 * 859_520_964 / 1e9:.1f} GB (UNets of Stable Diffusion 1.5, whole)"],
        ),
    ],
)  # fmt: skip
def test_dry_run_where_there_are_no_weights(tmp_path, monkeypatch, options, said):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = run("unlearncanvas.bench", *options, "--device", "cpu", "--dry-run")
    assert done.returncode == 0, done.stderr
    for text in said:
        assert text in done.stdout
    assert "time: unknown, it is measured by drawing a batch: cannot load" in done.stdout
    assert "nothing is downloaded here" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("erasers", ["esd", "closed form", "adapter", "hook", "Apache-2.0", "images"]),
        ("protocols", ["mini", "quick (default)", "19 targets, 5 seeds, 12,350 images",
                       "smoke: 2 targets, 1 seed, 12 images", "about 790 images each"]),
        ("targets", ["Neon Lines", "Sail Boat", "Photo"]),
        ("metrics", ["unlearning_accuracy", "fid_minicanvas"]),
    ],
)  # fmt: skip
def test_ls_shows_what_there_is(what, expected):
    done = run("unlearncanvas.cli.main", "ls", what)
    assert done.returncode == 0, done.stderr
    for text in expected:
        assert text in done.stdout


def test_ls_targets_of_a_backdoor_protocol_are_its_attacks():
    done = run("unlearncanvas.cli.main", "ls", "targets", "--protocol", "backdoor")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["badt2i-pixel", "full"]
    assert lines[3] == ["evil-edit", "smoke,", "quick,", "full"]


def test_ls_of_something_else():
    done = run("unlearncanvas.cli.main", "ls", "modles")
    assert done.returncode == 2
    assert "unknown list 'modles'" in done.stderr
