"""How long a command takes to start, in a fresh process each time.

    python -m unlearncanvas.studies.start

``--help``, ``--version``, ``ls``, ``cite`` and the help of every command need no torch. The last
line of the table is what importing the libraries alone takes, as every command did before 0.7.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from unlearncanvas.cli.app import run_app
from unlearncanvas.cli.ls import LISTS
from unlearncanvas.cli.main import COMMANDS

HEAVY = frozenset({"torch", "diffusers", "transformers", "pandas", "matplotlib"})
"""Libraries that these commands do without."""
STARTS: tuple[tuple[str, ...], ...] = (
    ("--help",),
    ("--version",),
    *(("ls", what) for what in LISTS),
    ("cite", "--all"),
    *((name, "--help") for name in COMMANDS),
    ("backdoor", "inject", "--help"),
)
"""Arguments of the commands that start without them."""
IMPORTS = "import torch, diffusers, transformers"
app = typer.Typer(add_completion=False, rich_markup_mode=None)
console = Console(emoji=False)


@app.command()
def start(
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each; the median.")] = 5,
) -> None:
    """Print the start time of every command that needs no torch."""
    table = Table("command", "seconds", "fastest")
    for arguments in STARTS:
        table.add_row(
            " ".join(arguments), *timed(["-m", "unlearncanvas.cli.main", *arguments], rounds)
        )
    table.add_section()
    table.add_row(IMPORTS, *timed(["-c", IMPORTS], rounds))
    console.print(table)


def timed(arguments: Sequence[str], rounds: int) -> tuple[str, str]:
    """Return the median and the least of some runs of Python, in seconds."""
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - begun)
    return f"{median(seconds):.2f}", f"{min(seconds):.2f}"


def main() -> None:
    """Run the command."""
    run_app(app)


if __name__ == "__main__":
    main()
