"""The README's commands are the contract."""

import re
import shlex
from pathlib import Path

import pytest

from tests.fixtures.arguments import from_arguments
from unlearncanvas.cli.main import load
from unlearncanvas.core.building import import_class
from unlearncanvas.core.registry import find_config, names, read_yaml
from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.engine.work import num_images, tasks_of
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.results.run_config import read_options

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OURS = re.findall(
    r"^(?:make bench && )?(?:\.venv/bin/)?unlearncanvas ([^#\n]+)",
    "\n".join(page.read_text() for page in PAGES),
    flags=re.MULTILINE,
)
COMMANDS = [
    line
    for line in re.findall(r"^python -m unlearncanvas\.bench [^#\n]+", README, flags=re.MULTILINE)
    if "--config" not in line  # a file that a run wrote; tests/cli/test_run_config.py replays one
]


def test_there_are_commands():
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("line", COMMANDS)
def test_bench_commands_make_a_plan(line):
    options = {**from_arguments(shlex.split(line)[3:]), "device": "cpu"}
    for folder in ("detectors", "dataset", "inception"):
        options.pop(folder, None)
    config = read_options(options)
    evaluation = evaluation_of(config)
    assert num_images(tasks_of(evaluation)) > 0


@pytest.mark.parametrize("line", sorted(set(OURS)))
def test_our_other_commands_take_what_is_said(line):
    assert len(OURS) > 10
    arguments = shlex.split(line)
    command = load(arguments.pop(0))
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    command.make_context(line, arguments)


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", README, flags=re.MULTILINE))
def test_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_exists(page):
    links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text())
    assert links
    for link in links:
        assert (page.parent / link).exists(), link


def test_every_metric_and_baseline_is_explained():
    for word in ("UA", "IRA", "CRA", "FID", "KID", "UFE", "`none`", "`noise`"):
        assert word in README


def test_every_erasers_docstring_names_its_source():
    for name in names("erasers"):
        cls = import_class(read_yaml(find_config("erasers", name))["class"])
        module = __import__(cls.__module__, fromlist=["x"])
        assert name == "none" or "Source:" in module.__doc__, name
        assert cls.__doc__


def test_image_counts_of_the_tiers():
    protocol = load_protocol("mini")
    counts = {
        tier: protocol.num_images(protocol.tier_targets(tier), protocol.tier_seeds(tier))
        for tier in protocol.tiers
    }
    assert counts == {"smoke": 300, "quick": 1500, "full": 12_350}
