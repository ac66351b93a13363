"""``unlearncanvas track RUNS``: send finished runs to a tracker."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from unlearncanvas.core.config import choose

console = Console(emoji=False)


def track(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or results.json files.")],
    wandb_args: Annotated[
        list[str] | None, typer.Option("--wandb_args", help="key=value for wandb.init; repeatable.")
    ] = None,
) -> None:
    """Send finished runs to Weights & Biases: scores, pictures, result files; offline, too."""
    from unlearncanvas.publish.report.collect import collect
    from unlearncanvas.publish.tracking.background import Background
    from unlearncanvas.publish.tracking.finished import finished
    from unlearncanvas.publish.tracking.wandb_tracker import PROJECT, WandbTracker

    arguments = wandb_arguments(wandb_args or [])
    missing = [path for path in runs if not path.exists()]
    if missing:
        raise ValueError(f"{missing[0]} does not exist; name a folder with results, e.g. runs")
    tracker, count = Background(WandbTracker(**arguments)), 0
    for run, outcome in finished(collect(runs)):
        tracker.open(run)
        tracker.finish(run.name, outcome)
        count += 1
    tracker.close()
    if tracker.failed:
        raise typer.Exit(1)
    console.print(
        f"{count} runs handed to W&B, project {arguments.get('project', PROJECT)}", markup=False
    )


def wandb_arguments(texts: list[str]) -> dict[str, str]:
    """Return ``key=value`` texts as a mapping.

    Raises:
        ValueError: If one is not of that form, or no argument that a user may choose.
    """
    from unlearncanvas.publish.tracking.wandb_tracker import ARGUMENTS, MODES

    found = {}
    for text in texts:
        for part in text.split(","):
            key, equals, value = part.partition("=")
            if not equals or not key:
                raise ValueError(f"--wandb_args takes key=value, got {part!r}")
            found[choose("argument of wandb.init", key, ARGUMENTS)] = value
    if "mode" in found:
        choose("mode of W&B", found["mode"], MODES)
    return found
