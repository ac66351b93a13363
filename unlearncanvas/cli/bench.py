"""Run the exam: erase, draw the grid, detect, score.

python -m unlearncanvas.bench --eraser esd
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from unlearncanvas.canvases.sources import Sources
from unlearncanvas.cli.app import run_app
from unlearncanvas.engine.options import make_plan, pick_device, read_batch_size, split
from unlearncanvas.engine.shards import Shard

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
      other hyperparameters

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
Run the same command again to finish an interrupted run; what is there is not drawn twice.
"""
app = typer.Typer(add_completion=False, rich_markup_mode=None)
console = Console(emoji=False)


@app.command(epilog=EXAMPLES)
def bench(
    eraser: Annotated[
        list[str],
        typer.Option(help="Registered name, package.module:Class, or a YAML file. Repeatable."),
    ],
    protocol: Annotated[str, typer.Option(help="Registered name or a YAML file.")] = "mini",
    model: Annotated[
        str | None,
        typer.Option(help="minicanvas, a diffusers folder or a Hub id; default: the protocol's."),
    ] = None,
    tier: Annotated[
        str | None, typer.Option(help="smoke, quick or full; default: the protocol's (quick).")
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated, e.g. 'Pop Art,Cat'; instead of a tier's. Attacks, for backdoors."
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Image seeds, comma-separated; instead of a tier's.")
    ] = None,
    erase_seeds: Annotated[
        str | None, typer.Option(help="Seeds of the eraser, comma-separated; one row each.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, a setting of the eraser.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    dtype: Annotated[
        str | None, typer.Option(help="float32, bfloat16 or float16; default: the protocol's.")
    ] = None,
    batch_size: Annotated[
        str | None,
        typer.Option(
            help="Images drawn together; default: the protocol's; auto: all that a GPU holds."
        ),
    ] = None,
    optimize: Annotated[
        str | None,
        typer.Option(
            help="compile, channels-last or both: faster on some machines, as "
            "python -m unlearncanvas.studies.speed says; other digits."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Root of the run folders.")] = Path("runs"),
    keep_images: Annotated[
        bool, typer.Option("--keep-images", help="Write every image as a PNG.")
    ] = False,
    artifacts: Annotated[
        str,
        typer.Option(help="Erased weights: whole, half (float16), or dropped once they are drawn."),
    ] = "whole",
    detectors: Annotated[
        str | None, typer.Option(help="Folder of the classifiers' weights, for UnlearnCanvas.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="UnlearnCanvas: folder style/object/1.jpg or of parquet, or Hub name."),
    ] = None,
    inception: Annotated[
        str | None, typer.Option(help="Folder of the Inception weights, for FID; default: torch's.")
    ] = None,
    skip_base_check: Annotated[
        bool,
        typer.Option(
            "--skip-base-check", help="Score a base model that the detectors do not recognise."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and how long it takes.")
    ] = False,
    known: Annotated[
        float | None,
        typer.Option(help="Backdoors: share of the triggers that the defender knows; default: 1."),
    ] = None,
    knowledge: Annotated[
        str | None,
        typer.Option(help="Backdoors: exact (the default), or neighbour (a text near a trigger)."),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="Draw one part only, e.g. 0/8, the first of eight.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Draw on a Ray cluster: local (the default), auto, or its address.",
            metavar="[ADDRESS]",
        ),
    ] = None,
    track: Annotated[
        list[str] | None,
        typer.Option(
            help="Log the run as it goes: wandb, tensorboard, mlflow, ..., with arguments as in "
            "wandb:project=mine. Repeatable."
        ),
    ] = None,
    wandb: Annotated[bool, typer.Option("--wandb", help="Short for --track wandb.")] = False,
    wandb_args: Annotated[
        list[str] | None,
        typer.Option("--wandb_args", help="Short for --track wandb:key=value, e.g. project=mine."),
    ] = None,
) -> None:
    """Make a model forget, draw the whole style x object grid with it, and score what happened."""
    from unlearncanvas.cli import backdoor_bench as backdoors
    from unlearncanvas.cli import terminal
    from unlearncanvas.evaluations.backdoor.protocol import is_backdoor
    from unlearncanvas.publish.tracking.async_tracker import open_trackers
    from unlearncanvas.publish.tracking.requested import as_track, libraries

    if model == "":
        raise ValueError("--model takes minicanvas, a diffusers folder or a Hub id, got ''")
    sources = Sources(detectors=detectors, dataset=dataset, inception=inception)
    tracked = libraries(as_track(track or [], wandb=wandb, wandb_args=wandb_args or []))
    together = read_batch_size(batch_size, protocol, model, pick_device(device), dtype)
    if is_backdoor(protocol):
        unused = {
            "--seeds": seeds, "--erase-seeds": erase_seeds, "--keep-images": keep_images,
            "--shard": shard, "--ray": ray, "--artifacts": artifacts != "whole",
        }  # fmt: skip
        for option, value in unused.items():
            if value not in (None, False):
                raise ValueError(f"{option} does not go with the backdoor protocol; leave it out")
        poisoned = backdoors.make_backdoor_plan(
            erasers=eraser,
            protocol=protocol,
            model=model,
            tier=tier,
            attacks=split(targets, "--targets"),
            settings=settings or [],
            known=known,
            knowledge=knowledge,
            device=pick_device(device),
            dtype=dtype,
            batch_size=together,
            optimize=optimize,
            out=out,
            skip_base_check=skip_base_check,
            sources=sources,
        )
        if dry_run:
            backdoors.preview(poisoned, console)
        else:
            with open_trackers(tracked) as trackers:
                backdoors.run(poisoned, console, trackers=trackers)
        return
    for option, given in {
        "--known": known is not None,
        "--knowledge": knowledge is not None,
    }.items():
        if given:
            raise ValueError(f"{option} goes with a backdoor protocol only; leave it out")
    if shard is not None and ray is not None:
        raise ValueError("--shard and --ray exclude each other; give one of them")
    part = None if shard is None else Shard.parse(shard)
    plan = make_plan(
        erasers=eraser,
        protocol=protocol,
        model=model,
        tier=tier,
        targets=targets,
        seeds=seeds,
        erase_seeds=erase_seeds,
        settings=settings or [],
        device=device,
        dtype=dtype,
        batch_size=together,
        optimize=optimize,
        out=out,
        keep_images=keep_images,
        artifacts=artifacts,
        skip_base_check=skip_base_check,
        sources=sources,
    )
    launched = Shard.of_launcher()
    if dry_run:
        from unlearncanvas.engine.forecast import preview

        preview(plan, console)
    elif part is not None:
        terminal.run_shard(plan, part, console)
    elif launched.index > 0:
        terminal.run_shard(plan, launched, console, launched=True)
    else:
        if launched.count > 1:
            terminal.run_shard(plan, launched, console, launched=True)
        elif ray is not None and terminal.run_on_ray(plan, ray, console):
            console.print("the rest is there; run the same command again for what was given up")
            raise typer.Exit(1)
        with open_trackers(tracked) as trackers:
            terminal.run(plan, console, trackers=trackers)


def main() -> None:
    """Run the command; a mistake in the input is one line and exit code 2."""
    run_app(app)


if __name__ == "__main__":
    main()
