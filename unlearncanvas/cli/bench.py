"""Run an evaluation: erase, draw the grid, detect, score.

python -m unlearncanvas.bench --eraser esd
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from unlearncanvas.cli.app import run_app
from unlearncanvas.cli.options import Sectioned, one_option_a_field, options_of
from unlearncanvas.results.run_config import RunConfig

# \b keeps click from wrapping a paragraph.
EXAMPLES = """
\b
Examples:

\b
  python -m unlearncanvas.bench --eraser esd
      three styles and three objects of the mini canvas, two seeds (tier quick)

\b
  python -m unlearncanvas.bench --eraser esd --tier smoke
      one style, one object, one seed

\b
  python -m unlearncanvas.bench --eraser esd --eraser uce --targets "Pop Art,Cat"
      two erasers side by side on targets of your choice

\b
  python -m unlearncanvas.bench --eraser esd --set lr=2e-4 --set parameters=x-strict
      other hyperparameters; --set esd.lr=2e-4 is for one of several erasers

\b
  python -m unlearncanvas.bench --config runs/mini/esd-0f3a9c21/quick/results.json --device cuda
      the run that these results are of; a YAML file of options works too

\b
  python -m unlearncanvas.bench --eraser mypackage.mymodule:MyEraser
      your own eraser; a path to a YAML file works too

\b
  python -m unlearncanvas.bench --protocol backdoor --eraser skd --eraser skd-cag
      poison a model, remove the backdoor, see what is left of it (tier quick: evil-edit)

\b
  python -m unlearncanvas.bench --protocol backdoor --eraser skd --targets badt2i-style
      another attack

\b
Run the same command again to finish an interrupted run; finished chunks are skipped.
"""
app = typer.Typer(add_completion=False, rich_markup_mode=None)
console = Console(emoji=False)


@app.command(cls=Sectioned, epilog=EXAMPLES)
@one_option_a_field
def bench(
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Options from a YAML file or a results.json; flags win over it."
        ),
    ] = None,
    **flags: Any,
) -> None:
    """Erase concepts from a model, draw the style x object grid with it, and score the images."""
    with options_of(flags, config) as options:
        run(options)


def run(options: RunConfig) -> None:
    """Run an evaluation, or a part of one, and print its results."""
    from unlearncanvas.cli import run as runs
    from unlearncanvas.engine.registry import evaluation_of
    from unlearncanvas.engine.shards import Shard
    from unlearncanvas.publish.tracking.async_tracker import open_trackers
    from unlearncanvas.publish.tracking.requested import as_track, libraries

    tracked = libraries(as_track(options.track, wandb=options.wandb, wandb_args=options.wandb_args))
    evaluation, launched = evaluation_of(options), Shard.of_launcher()
    if options.dry_run:
        runs.preview(evaluation, console)
        return
    if options.shard is not None:
        runs.run_shard(evaluation, Shard.parse(options.shard), console)
        return
    if launched.count > 1:
        runs.run_shard(evaluation, launched, console, launched=True)
        if launched.index > 0:
            return
    elif options.ray is not None and runs.run_on_ray(evaluation, options.ray, console):
        console.print("the rest is done; run the same command again for what was given up")
        raise typer.Exit(1)
    with open_trackers(tracked) as trackers:
        runs.run(evaluation, console, trackers=trackers)


def main() -> None:
    """Run the command; bad input is one line and exit code 2."""
    run_app(app)


if __name__ == "__main__":
    main()
