"""Commands called in the tests' own process."""

import importlib
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(module, *arguments):
    """Call a command's ``main`` in this process: a new one needs ten seconds for its imports."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", [module, *arguments])
        try:
            importlib.import_module(module).main()
        except SystemExit as done:
            code = done.code or 0
    return Done(code, out.getvalue(), err.getvalue())
