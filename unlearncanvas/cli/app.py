"""Run a command-line app: errors are one line, with exit code 2."""

import logging
import sys
from io import TextIOWrapper

import typer
from rich.console import Console
from rich.logging import RichHandler

from unlearncanvas.core.one_line_errors import one_line_errors

console = Console(emoji=False)


def with_default(args: list[str], option: str, value: str) -> list[str]:
    """Return the arguments with a value behind an option that may stand without one."""
    filled = []
    for place, arg in enumerate(args):
        filled.append(arg)
        if arg == option and (place + 1 == len(args) or args[place + 1].startswith("-")):
            filled.append(value)
    return filled


def run_app(command: typer.Typer) -> None:
    """Run a command-line app; an error is one line on stderr and exit code 2.

    A terminal that cannot show a character gets a question mark in its place.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_time=False, show_path=False)],
    )
    with one_line_errors():
        command(args=with_default(sys.argv[1:], "--ray", "local"))
