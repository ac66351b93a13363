"""``python -m unlearncanvas.canvases.mini.gates``."""

import typer

from unlearncanvas.canvases.mini.gates.command import main

typer.run(main)
