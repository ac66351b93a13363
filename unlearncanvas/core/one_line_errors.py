"""Errors of a command: one line on stderr, exit code 2."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from rich.console import Console

from unlearncanvas.core.building import one_line


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Show what a user's input or files are wrong about; a bug keeps its traceback."""
    try:
        yield
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
