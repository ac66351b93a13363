"""``unlearncanvas cite``: each entry once, unknown names with the nearest."""

import pytest

from tests.fixtures.in_process import run
from unlearncanvas.cli.cite import CONFIGS
from unlearncanvas.core.bibtex import read_entry
from unlearncanvas.core.method_config import read_config
from unlearncanvas.core.registry import find_config, names


def test_cite_prints_each_entry_once():
    done = run("unlearncanvas.cli.main", "cite", "esd", "salun", "ft")
    assert done.returncode == 0
    assert done.stdout.count("@") == 2
    esd, salun = map(read_entry, done.stdout.split("\n\n"))
    assert esd.title == "Erasing Concepts from Diffusion Models"
    assert salun.arxiv == "2310.12508"


def test_cite_all_has_every_paper_of_the_registry():
    done = run("unlearncanvas.cli.main", "cite", "--all")
    abouts = [
        read_config(model, find_config(folder, name)).about
        for folder, model in CONFIGS.items()
        for name in names(folder)
    ]
    found = [read_entry(text).key for text in done.stdout.split("\n\n")]
    assert set(found) == {about.paper.key for about in abouts if about.paper}
    assert len(set(found)) == len(found)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["esdd"], "unknown eraser, attack or metric 'esdd'; did you mean esd"),
        ([], "cite takes names, e.g. cite esd ca, or --all"),
        (["esd", "--all"], "cite takes names, e.g. cite esd ca, or --all"),
    ],
)
def test_cite_of_something_else(arguments, message):
    done = run("unlearncanvas.cli.main", "cite", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_cite_of_what_has_no_paper():
    done = run("unlearncanvas.cli.main", "cite", "none")
    assert (done.returncode, done.stdout.strip()) == (0, "")
    assert "none has no paper" in done.stderr
