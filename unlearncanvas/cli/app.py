"""Run a command-line app: errors are one line, with exit code 2."""

import logging
import sys
from io import TextIOWrapper

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.logging import RichHandler

from unlearncanvas.core.building import one_line

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
    try:
        command(args=with_default(sys.argv[1:], "--ray", "local"))
    except (ValueError, OSError) as exc:
        message = " ".join(
            (one_line(exc) if isinstance(exc, ValidationError) else str(exc)).split()
        )
        Console(stderr=True, soft_wrap=True).print(
            f"error: {message}", style="red", markup=False, emoji=False
        )
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True, emoji=False).print("stopped; run the same command again to go on")
        sys.exit(130)
