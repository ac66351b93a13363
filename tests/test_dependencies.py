"""Every package that is imported is declared and pinned, and every declared one is used."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("unlearncanvas", "erasers", "metrics")
COMMANDS = {
    "build": ("tests/end_to_end/test_wheel.py", '"-m", "build"'),
    "import-linter": ("Makefile", "/lint-imports"),
    "mypy": ("Makefile", "/mypy"),
    "pre-commit": (".pre-commit-config.yaml", "hooks:"),
    "pytest-xdist": ("Makefile", "-m pytest -n"),
    "ruff": ("Makefile", "/ruff check"),
}
"""Packages that are run and not imported: where, and how."""
INDIRECT = {"tensorboard": ("unlearncanvas/publish/tracking", "TensorBoardTracker")}
"""Packages that another one imports for us: in which folder, and by what."""
STUBS = {"pandas-stubs": "pandas", "types-pyyaml": "yaml"}
"""Packages of types: of which module."""


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(lines):
    """Names of distributions, without ours."""
    names = {normalized(re.match(r"[\w.-]+", line)[0]) for line in lines}
    return names - {"unlearncanvas"}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {name: requirements(part) for name, part in PROJECT["optional-dependencies"].items()}
REQUIRED = requirements(PROJECT["dependencies"])
FOR_USERS = REQUIRED.union(*(part for name, part in EXTRAS.items() if name not in ("test", "dev")))
FOR_TESTS = EXTRAS["test"] | EXTRAS["dev"]


def imported(*folders):
    """Top-level modules of other packages, by file."""
    found = {}
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for module in {name.partition(".")[0] for name in names}:
                if module not in sys.stdlib_module_names and module not in (*OURS, "tests"):
                    found.setdefault(module, path.relative_to(ROOT))
    return found


@pytest.fixture(scope="module")
def distributions():
    """Normalized names of the distributions that hold a module."""
    return {
        module: {normalized(name) for name in names}
        for module, names in packages_distributions().items()
    }


@pytest.mark.parametrize(
    ("folders", "declared"), [(OURS, FOR_USERS), (("tests",), FOR_USERS | FOR_TESTS)]
)
def test_what_is_imported_is_declared(folders, declared, distributions):
    undeclared = {
        module: path
        for module, path in imported(*folders).items()
        if not distributions.get(module, {module}) & declared
    }
    assert not undeclared


def test_what_is_declared_is_imported(distributions):
    used = set().union(*(distributions.get(module, set()) for module in imported(*OURS)))
    assert FOR_USERS - used == set(INDIRECT)
    for folder, name in INDIRECT.values():
        assert any(name in path.read_text() for path in (ROOT / folder).glob("*.py")), name


def test_what_tests_and_developers_install_is_used(distributions):
    modules = imported(*OURS, "tests")
    used = set().union(*(distributions.get(module, set()) for module in modules))
    assert FOR_TESTS - used - set(COMMANDS) - set(STUBS) == set()
    assert set(COMMANDS) | set(STUBS) <= FOR_TESTS
    assert set(STUBS.values()) <= set(modules)
    for path, text in COMMANDS.values():
        assert text in (ROOT / path).read_text(), path


def test_every_declared_package_is_pinned_once():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    names = [normalized(pin.partition("==")[0]) for pin in pins]
    assert all("==" in pin for pin in pins)
    assert sorted(names) == sorted(FOR_USERS | FOR_TESTS)
