"""Print the gates.

    python -m unlearncanvas.canvases.mini.gates
    python -m unlearncanvas.canvases.mini.gates --language

Images come from a split of the painter that nothing was trained on, and from seeds that no protocol
uses. Exit code 1 if a gate is missed.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from unlearncanvas.canvases.language import load_language
from unlearncanvas.canvases.mini.device import device_of
from unlearncanvas.canvases.mini.gates.gate import to_markdown, to_table
from unlearncanvas.canvases.mini.gates.language_table import language_tables
from unlearncanvas.canvases.mini.gates.measure import measure
from unlearncanvas.core.files import write_text
from unlearncanvas.pipelines.base_model import MINICANVAS_DIR
from unlearncanvas.pipelines.quiet import silence_libraries


def main(
    *,
    device: Annotated[
        str, typer.Option(help="auto, cpu or cuda; auto takes a GPU if there is one.")
    ] = "auto",
    weights: Annotated[
        Path,
        typer.Option(
            exists=True, file_okay=False, help="Pipeline folder.", show_default="the committed one"
        ),
    ] = MINICANVAS_DIR,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the gates as Markdown, too.")
    ] = None,
    language: Annotated[
        bool, typer.Option("--language", help="Print the language, and measure nothing.")
    ] = False,
) -> None:
    """Measure and print every gate; exit code 1 if one is missed."""
    console = Console(emoji=False)
    spoken = load_language("mini")
    if language:
        console.print(*language_tables(spoken))
        return
    silence_libraries()
    gates = measure(weights, device_of(device), spoken, console)
    console.print(to_table(gates))
    if out is not None:
        write_text(out, to_markdown(gates))
    if not all(gate.passed for gate in gates):
        raise typer.Exit(1)
