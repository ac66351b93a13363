"""``unlearncanvas track RUNS``: send finished runs to trackers."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(emoji=False)


def track(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or results.json files.")],
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="Tracker: wandb (the default), tensorboard, mlflow, ..., with arguments as in "
            "wandb:project=mine; repeatable."
        ),
    ] = None,
    wandb_args: Annotated[
        list[str] | None, typer.Option("--wandb_args", help="Short for --track wandb:key=value.")
    ] = None,
) -> None:
    """Send finished runs to W&B, TensorBoard, MLflow: scores, pictures, files; offline, too."""
    from unlearncanvas.publish.report.collect import collect
    from unlearncanvas.publish.report.tracked import finished
    from unlearncanvas.publish.tracking.async_tracker import AsyncTracker
    from unlearncanvas.publish.tracking.requested import as_track, libraries

    wanted = as_track(track or [], wandb=False, wandb_args=wandb_args or []) or ["wandb"]
    chosen = libraries(wanted)
    missing = [path for path in runs if not path.exists()]
    if missing:
        raise ValueError(f"{missing[0]} does not exist; name a folder with results, e.g. runs")
    trackers, count = [AsyncTracker(library, in_turn=True) for library in chosen], 0
    for run, summary in finished(collect(runs)):
        count += 1
        for tracker in trackers:
            tracker.open(run)
            tracker.finish(run.name, summary)
    for tracker in trackers:
        tracker.close()
    if any(tracker.failed for tracker in trackers):
        raise typer.Exit(1)
    names = ", ".join(library.name for library in chosen)
    console.print(f"{count} runs sent to {names}", markup=False)
