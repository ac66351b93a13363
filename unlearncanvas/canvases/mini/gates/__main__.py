"""``python -m unlearncanvas.canvases.mini.gates``."""

import typer

from unlearncanvas.canvases.mini.gates.command import main
from unlearncanvas.core.one_line_errors import one_line_errors

with one_line_errors():
    typer.run(main)
