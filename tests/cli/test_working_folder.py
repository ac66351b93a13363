"""What lies in the working folder: a class of the user's is found, a file in our way is named."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.small_grid import environment

MINE = """
from dataclasses import dataclass
from typing import final
from erasers.base import Eraser

@final
@dataclass(frozen=True, kw_only=True)
class Mine(Eraser):
    strength: float = 1.0

    def erase(self, pipe, task):
        pass
"""
CONSOLE = [str(Path(sys.executable).with_name("unlearncanvas"))]
MODULE = [sys.executable, "-m", "unlearncanvas.cli.main"]


def start(command, folder, *arguments):
    variables = {key: value for key, value in environment().items() if key != "PYTHONPATH"}
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_the_console_script_finds_a_class_beside_it(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "metrics.py").write_text("raise SystemError('imported instead of ours')\n")
    arguments = ("bench", "--eraser", "mine:Mine", "--set", "strenght=2", "--dry-run")
    done = start(CONSOLE, tmp_path, *arguments)
    assert done.returncode == 2
    assert "unknown setting of eraser mine 'strenght'; did you mean strength?" in done.stderr


@pytest.mark.parametrize("name", ["metrics.py", "erasers/__init__.py"])
def test_a_file_that_shadows_a_package_is_named(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    done = start(MODULE, tmp_path, "ls", "erasers")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"error: {path} shadows the package" in done.stderr
    assert "rename it, start elsewhere, or use the console script" in done.stderr


def test_a_library_raises_the_same(tmp_path):
    (tmp_path / "metrics.py").write_text("")
    done = start([sys.executable, "-c", "import unlearncanvas"], tmp_path)
    assert "ImportError:" in done.stderr
    assert "shadows the package 'metrics'" in done.stderr
