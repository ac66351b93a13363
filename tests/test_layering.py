"""Who may import whom, and nothing heavy at the top."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("erasers", "metrics", "unlearncanvas", "tests")


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("package", ["erasers", "metrics"])
def test_methods_and_metrics_know_only_the_vocabulary(package):
    allowed = (package, "unlearncanvas.types")
    for path in (ROOT / package).rglob("*.py"):
        ours = [name for name in imported(path) if name.split(".")[0] in OURS]
        wrong = [n for n in ours if not n.startswith(allowed)]
        assert not wrong, f"{path.name} imports {wrong}"


def test_the_vocabulary_imports_nothing_of_ours():
    names = imported(ROOT / "unlearncanvas" / "types.py")
    assert not [name for name in names if name.split(".")[0] in OURS]


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
