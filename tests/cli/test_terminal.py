"""What is printed: names as they are, on a terminal that knows no more than ASCII."""

import json
import subprocess
import sys

import pytest
import yaml

from tests.fixtures.in_process import run
from tests.fixtures.small_grid import environment, write_protocol
from unlearncanvas.core.registry import find_config, read_yaml

pytestmark = pytest.mark.slow
NAME = "my[b]uce"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
ODD = "[/b]:cat:"  # two folders


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of an eraser and a folder whose names are markup, printed to an ASCII pipe."""
    folder = tmp_path_factory.mktemp("names")
    eraser = folder / f"{NAME}.yaml"
    eraser.write_text(yaml.safe_dump(read_yaml(find_config("erasers", "uce"))))
    protocol = write_protocol(folder)
    done = subprocess.run(
        [
            sys.executable, "-m", "unlearncanvas.bench", "--eraser", str(eraser), "--protocol",
            str(protocol), "--out", str(folder / ODD), "--device", "cpu", "--tier", "smoke",
        ],
        capture_output=True, text=True, check=False,
        env={**environment(), **ASCII},
    )  # fmt: skip
    return folder / ODD, done


def test_a_run_ends_with_its_table_whatever_it_is_called(finished):
    out, done = finished
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.isascii()
    assert done.stdout.count(f" {NAME} ") >= 2
    assert NAME.replace("[b]", "") not in done.stdout
    (path,) = out.glob("small/my*/smoke/results.json")
    assert f"results   {path}" in done.stdout


def test_commands_print_names_as_they_are(finished, tmp_path):
    out, _ = finished
    page = tmp_path / ODD
    for command in (
        ["report", str(out), "--out", str(page)],
        ["merge", str(out), "--out", str(page / "runs")],
    ):
        done = run("unlearncanvas.cli.main", *command)
        assert done.returncode == 0, done.stderr
        assert str(page) in "".join(done.stdout.splitlines())
    done = run("unlearncanvas.cli.main", "compare", str(out), str(out), "--eraser", NAME)
    assert done.returncode == 0, done.stderr
    assert NAME in done.stdout
    done = run("unlearncanvas.cli.main", "report", str(page / "nothing"))
    assert done.returncode == 2
    assert str(page / "nothing") in "".join(done.stderr.splitlines())


def test_a_backdoor_table_prints_names_as_they_are(tmp_path):
    from rich.console import Console

    from unlearncanvas.evaluations.backdoor.tables import tables
    from unlearncanvas.results.export import to_terminal
    from unlearncanvas.results.reading import read_results

    source = find_config("protocols", "backdoor").parents[2] / "docs" / "results"
    found = json.loads((source / "backdoor-evil-edit.json").read_text())
    for attack in found["attacks"]:
        attack["attack"] = ODD
        for row in attack["rows"]:
            row["label"] = ODD
        for pair in attack["comparisons"]:
            pair["first"] = ODD
    (tmp_path / "results.json").write_text(json.dumps(found))
    console = Console(width=200, emoji=False)
    with console.capture() as printed:
        for table in tables(read_results(tmp_path / "results.json")):
            console.print(to_terminal(table))
    assert printed.get().count(ODD) > 10
