"""What every command does before it runs: options under their old names."""

import pytest

from tests.fixtures.in_process import run
from unlearncanvas.cli.app import RENAMED


@pytest.mark.parametrize(
    "arguments",
    [
        ["unlearncanvas.bench", "--eraser", "esd", "--any-base", "--artefacts", "all", "--dry-run"],
        ["unlearncanvas.cli.main", "submit", ".", "--eraser", "esd", "--artefacts=many"],
    ],
)
def test_an_old_name_of_an_option_works_with_a_notice(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "--artifacts" in done.stderr.splitlines()[-1]
    for old, new in RENAMED.items():
        notice = f"{old} is now {new}; 0.8 drops the old name"
        assert (notice in done.stderr) == any(item.startswith(old) for item in arguments)
