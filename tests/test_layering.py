"""Nothing heavy at the top; who may import whom is an import-linter contract in pyproject.toml."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_importing_the_package_is_light():
    code = "import sys, unlearncanvas; print('torch' in sys.modules, 'diffusers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_nothing_names_this_machine():
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if path.suffix in {".py", ".yaml", ".toml", ".md", ".txt"} and parts[0] not in {
            ".venv", "runs", "training", "build",
        }:  # fmt: skip
            assert "/" + "work/" not in path.read_text(), path
