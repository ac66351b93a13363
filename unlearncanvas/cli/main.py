"""The console script ``unlearncanvas``: its commands, each imported when it runs."""

import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NamedTuple, final

import typer
from typer.core import TyperCommand, TyperGroup

from unlearncanvas.cli.app import run_app


class Command(NamedTuple):
    """A command, before it is imported.

    Attributes:
        place: ``module:name`` in ``unlearncanvas.cli``; the name is a function's or an app's.
        help: Its line in the list of commands.
    """

    place: str
    help: str


COMMANDS = {
    "bench": Command("bench:app", "Erase, draw the grid, detect, score."),
    "ls": Command("ls:ls", "List erasers, attacks, protocols, targets or metrics."),
    "cite": Command("cite:cite", "Print BibTeX entries of erasers, attacks and metrics."),
    "tune": Command("tune:tune", "Search an eraser's settings on the reserved targets."),
    "rank-correlation": Command(
        "rank_correlation:rank_correlation", "Compare how two tables rank erasers."
    ),
    "score": Command("score:score", "Score images made elsewhere."),
    "merge": Command("merge:merge", "Put run folders of several machines together."),
    "report": Command("report:report", "Write a page and tables of runs."),
    "compare": Command("compare:compare", "Compare erasers: which differences are real."),
    "track": Command("track:track", "Send finished runs to W&B, TensorBoard or MLflow."),
    "submit": Command("submissions:submit", "Make a bundle of a finished run."),
    "validate": Command("submissions:validate", "Check that a bundle gives the scores it states."),
    "verify": Command("submissions:verify", "Draw a random part of a bundle again and compare."),
    "reseal": Command("submissions:reseal", "Score bundles with today's metrics (maintainers)."),
    "leaderboard": Command("submissions:leaderboard", "Build the site of a folder of bundles."),
    "export": Command("export:export", "Write an erased model as a diffusers folder."),
    "backdoor": Command("backdoor:app", "Poison a model."),
}


@final
class LazyGroup(TyperGroup):
    """Lists commands by name and help; imports only the one that runs or whose help is printed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, command in COMMANDS.items():
            self.add_command(TyperCommand(name, help=command.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the name, the imported command and its arguments."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else load(name), rest


def load(name: str) -> Any:
    """Import a command."""
    module, _, attribute = COMMANDS[name].place.partition(":")
    found = getattr(import_module(f"unlearncanvas.cli.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(name)(found)
        found = single
    return typer.main.get_command(found)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A benchmark for concept unlearning in text-to-image diffusion models.",
)


def _print_version(wanted: object) -> bool:
    if wanted:
        typer.echo(f"unlearncanvas {version('unlearncanvas')}")
        raise typer.Exit
    return False


@app.callback()
def unlearncanvas(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Parse the options before a command."""


def main() -> None:
    """Run the console script; the working folder is last on the import path, for users' classes."""
    if not sys.flags.safe_path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    run_app(app)


if __name__ == "__main__":
    main()
