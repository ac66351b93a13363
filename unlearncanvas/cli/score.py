"""``unlearncanvas score``: the grid on a folder of images made elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from unlearncanvas.cli import completion

if TYPE_CHECKING:
    from unlearncanvas.evaluations.grid.protocol import GridProtocol
    from unlearncanvas.types import Concept

console = Console(emoji=False)


def score(
    images: Annotated[
        Path, typer.Option(help="The images; without --target, a folder with one a target in it.")
    ],
    name: Annotated[str, typer.Option(help="What to call the method.")],
    target: Annotated[
        str | None,
        typer.Option(
            help="What these images have forgotten, e.g. 'Van Gogh'.",
            autocompletion=completion.targets,
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="Registered name or a YAML file.", autocompletion=completion.of("protocols")
        ),
    ] = "unlearncanvas",
    detectors: Annotated[str | None, typer.Option(help="As for bench.")] = None,
    dataset: Annotated[str | None, typer.Option(help="As for bench.")] = None,
    inception: Annotated[str | None, typer.Option(help="As for bench.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    out: Annotated[Path, typer.Option(help="Root of the run folders.")] = Path("runs"),
) -> None:
    """Score images made elsewhere: by a closed model, a hook at inference, other code.

    Expects every cell of the grid at each seed: Van_Gogh_Cats_seed188.jpg as the release names
    them, or Van_Gogh/Cats/seed188.png.
    """
    from unlearncanvas.canvases.sources import Sources
    from unlearncanvas.cli.progress import bar
    from unlearncanvas.core.fields import as_file_name
    from unlearncanvas.engine.options import pick_device
    from unlearncanvas.evaluations.grid.folder import FolderEvaluation
    from unlearncanvas.evaluations.grid.protocol import load_protocol
    from unlearncanvas.evaluations.grid.tables import tables
    from unlearncanvas.results.export import to_terminal

    as_file_name(name)
    rules = load_protocol(protocol)
    folders = _folders(images, target, rules)
    with bar(None, console) as progress:
        progress.drawing("look at")
        scored = FolderEvaluation(
            protocol=rules,
            name=name,
            folders=folders,
            device=pick_device(device),
            out=out,
            sources=Sources(detectors=detectors, dataset=dataset, inception=inception),
            on_images=progress.drawn,
        )
        results = scored.run()
    for table in tables(results):
        console.print(to_terminal(table))
    console.print(f"results   {scored.run_folder() / 'results.json'}", soft_wrap=True, markup=False)


def _folders(images: Path, target: str | None, rules: "GridProtocol") -> "dict[Concept, Path]":
    """Return each target's folder.

    Raises:
        ValueError: If there is none.
    """
    if not images.is_dir():
        raise ValueError(f"--images {images}: no such folder")
    if target is not None:
        return {rules.find_target(target): images}
    inner = sorted(path for path in images.iterdir() if path.is_dir())
    if not inner:
        raise ValueError(
            f"--images {images} has no folders, one a target; for the images of one target name "
            "it with --target"
        )
    return {rules.find_target(path.name): path for path in inner}
