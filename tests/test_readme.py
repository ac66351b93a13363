"""The README's commands are the contract."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from unlearncanvas.backdoors.bench import make_backdoor_plan
from unlearncanvas.backdoors.protocol import is_backdoor
from unlearncanvas.bench import app
from unlearncanvas.config import find_config, import_class, names, read_yaml
from unlearncanvas.options import make_plan, pick_device, split
from unlearncanvas.protocol import load_protocol

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^python -m unlearncanvas\.bench [^#\n]+", README, flags=re.MULTILINE)


def test_there_are_commands():
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("line", COMMANDS)
def test_bench_commands_make_a_plan(line):
    command = typer.main.get_command(app)
    options = command.make_context("bench", shlex.split(line)[3:]).params
    erasers, settings = options["eraser"], options["settings"] or []
    if is_backdoor(options["protocol"]):
        same = {key: options[key] for key in ("protocol", "tier", "known", "knowledge", "out")}
        removal = make_backdoor_plan(
            erasers=erasers, settings=settings, attacks=split(options["targets"]),
            device=pick_device("cpu"), **same,
        )  # fmt: skip
        assert removal.num_images() > 0
        return
    others = {"dry_run", "wandb", "wandb_args", "known", "knowledge", "eraser", "settings"}
    others |= {"detectors", "dataset", "inception", "shard", "ray"}
    rest = {key: value for key, value in options.items() if key not in others}
    assert make_plan(erasers=erasers, settings=settings, **rest).jobs()


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", README, flags=re.MULTILINE))
def test_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


def test_files_that_the_readme_links_exist():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).is_file(), link


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
    assert counts == {"smoke": 200, "quick": 1200, "full": 9500}
