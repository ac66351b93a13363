"""What is built is what runs: the wheel holds configs and weights and needs no checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_packages_configs_and_weights(wheel):
    files = zipfile.ZipFile(wheel).namelist()
    for name in (
        "unlearncanvas/configs/erasers/esd.yaml",
        "unlearncanvas/configs/protocols/mini.yaml",
        "unlearncanvas/canvases/mini/weights/detectors/style.safetensors",
        "unlearncanvas/canvases/mini/weights/pipeline/model_index.json",
        "erasers/esd.py",
        "metrics/fid.py",
    ):
        assert name in files
    assert not [name for name in files if name.startswith(("tests/", "configs/", "training/"))]


@pytest.mark.slow
def test_the_wheel_runs_outside_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import unlearncanvas.core.registry as c, sys;"
        "sys.argv = ['unlearncanvas', 'ls', 'erasers'];"
        "from unlearncanvas.pipelines.base_model import load_base; load_base('minicanvas');"
        "assert 'site' in c.__file__ and 'site' in str(c.CONFIG_DIR);"
        "from unlearncanvas.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "site", capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "esd" in done.stdout
