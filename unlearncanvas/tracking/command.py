"""``unlearncanvas track RUNS``: send finished runs to a tracker."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console()


def track(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or results.json files.")],
    wandb_args: Annotated[
        list[str] | None, typer.Option("--wandb_args", help="key=value for wandb.init; repeatable.")
    ] = None,
) -> None:
    """Send finished runs to Weights & Biases: scores, pictures, result files; offline, too."""
    from unlearncanvas.site.collect import Board, Entry, collect
    from unlearncanvas.tracking.background import Background
    from unlearncanvas.tracking.mirror import flat
    from unlearncanvas.tracking.tracker import Outcome, Run
    from unlearncanvas.tracking.wandb_tracker import PROJECT, WandbTracker

    arguments = wandb_arguments(wandb_args or [])
    missing = [path for path in runs if not path.exists()]
    if missing:
        raise ValueError(f"{missing[0]} does not exist; name a folder with results, e.g. runs")

    def run_of(board: Board, entry: Entry) -> Run:
        return Run(
            name=entry.label,
            group=board.run.protocol,
            folder=entry.source.parent / "tracked" / entry.label.replace("/", "-"),
            config={
                "settings": next((dict(item.settings) for item in entry.results.values()), {}),
                "protocol": board.run.protocol,
                "protocol_digest": board.run.protocol_digest,
                "model": board.run.model,
                "seeds": list(board.run.seeds),
                "command": entry.command,
            },
        )

    tracker, count = Background(WandbTracker(**arguments)), 0
    for board in collect(runs).boards:
        for entry in board.entries.values():
            run = run_of(board, entry)
            scores: dict[str, float] = {}
            for kind, row in entry.rows.items():
                for name, score in row.scores.items():
                    scores |= flat(f"{kind}/{name}", score)
            tracker.open(run)
            tracker.finish(
                run.name,
                Outcome(scores=scores, pictures=dict(entry.sheets), files=[entry.source]),
            )
            count += 1
    tracker.close()
    if tracker.failed:
        raise typer.Exit(1)
    console.print(f"{count} runs handed to W&B, project {arguments.get('project', PROJECT)}")


def wandb_arguments(texts: list[str]) -> dict[str, str]:
    """Return ``key=value`` texts as a mapping.

    Raises:
        ValueError: If one is not of that form.
    """
    found = {}
    for text in texts:
        for part in text.split(","):
            key, equals, value = part.partition("=")
            if not equals or not key:
                raise ValueError(f"--wandb_args takes key=value, got {part!r}")
            found[key] = value
    return found
