"""The console script starts without torch, lists its commands in full, completes names."""

import json
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import pytest

from tests.fixtures.in_process import run
from unlearncanvas.cli.main import COMMANDS
from unlearncanvas.studies.start import HEAVY, STARTS

START = """
import contextlib, io, sys
import unlearncanvas.cli.main as cli
from unlearncanvas.studies.start import HEAVY, STARTS

for arguments in STARTS:
    sys.argv = ["unlearncanvas", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        try:
            cli.main()
        except SystemExit as done:
            assert not done.code, arguments
    assert shown.getvalue(), arguments
    assert not HEAVY & set(sys.modules), (arguments, HEAVY & set(sys.modules))
print("light")
"""


def test_help_lists_and_citations_start_without_torch():
    assert {(name, "--help") for name in COMMANDS} < set(STARTS)
    assert "torch" in HEAVY
    done = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, check=False
    )
    assert done.stdout == "light\n", done.stderr


def test_a_command_is_imported_when_it_runs():
    code = (
        "import sys; import unlearncanvas.cli.main as cli\n"
        "sys.argv = ['unlearncanvas', '--help']\n"
        "try: cli.main()\n"
        "except SystemExit: print([name for name in sys.modules if 'canvas.cli.' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("['unlearncanvas.cli.app', 'unlearncanvas.cli.main']\n")


def test_the_list_of_commands_is_whole_at_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    done = run("unlearncanvas.cli.main", "--help")
    shown = done.stdout.partition("Commands:")[2]
    listed = re.findall(r"^  ([\w-]+) ", shown, flags=re.MULTILINE)
    assert listed == list(COMMANDS)
    assert "..." not in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name):
    module, _, attribute = COMMANDS[name].place.partition(":")
    assert hasattr(import_module(f"unlearncanvas.cli.{module}"), attribute)
    assert run("unlearncanvas.cli.main", name, "--help").returncode == 0


def test_version():
    done = run("unlearncanvas.cli.main", "--version")
    assert (done.returncode, done.stdout) == (0, f"unlearncanvas {version('unlearncanvas')}\n")


def test_an_unknown_command_is_answered_with_the_nearest():
    done = run("unlearncanvas.cli.main", "leaderbord")
    assert done.returncode == 2
    assert "No such command 'leaderbord'. Did you mean 'leaderboard'?" in done.stderr


COMPLETED = [
    (["ver"], {"verify"}),
    (["agree"], set()),
    (["ls", ""], {"erasers", "attacks", "protocols", "targets", "metrics"}),
    (["cite", "evil"], {"evil-edit"}),
    (["tune", "spm", "--protocol", "mini-t"], {"mini-tune"}),
    (["tune", "spm", "--tier", "sea"], {"search"}),
    (["score", "--target", "Van"], {"Van Gogh"}),
    (["score", "--protocol", "mini", "--target", "Neon"], {"Neon Lines"}),
    (["score", "--protocol", "mine.yaml", "--target", "Neon"], set()),
    (["score", "--protocol", "backdoor", "--target", "evil-edit,badt2i-p"],
     {"evil-edit,badt2i-pixel"}),
    (["bench", "--eraser", "es"], {"esd"}),
    (["bench", "--protocol", "unlearncanvas", "--targets", "Van"], {"Van Gogh"}),
    (["bench", "--protocol", "backdoor", "--tier", "f"], {"full"}),
    (["backdoor", "inject", "--attack", "rick"], {"rickrolling-taa", "rickrolling-tpa"}),
]  # fmt: skip
COMPLETE = """
import contextlib, io, json, os, sys
import unlearncanvas.cli.main as cli

sys.argv = ["unlearncanvas"]
os.environ["_UNLEARNCANVAS_COMPLETE"] = "complete_bash"
for typed in json.loads(sys.stdin.read()):
    os.environ["COMP_WORDS"] = " ".join(["unlearncanvas", *typed])
    os.environ["COMP_CWORD"] = str(len(typed))
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
        cli.main()
    print(json.dumps(shown.getvalue().splitlines()))
"""


def test_a_shell_completes_names():
    done = subprocess.run(
        [sys.executable, "-c", COMPLETE],
        input=json.dumps([typed for typed, _ in COMPLETED]),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = [set(json.loads(line)) - {""} for line in done.stdout.splitlines()]
    assert found == [completed for _, completed in COMPLETED], done.stderr
