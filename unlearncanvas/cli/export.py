"""``unlearncanvas export``: an erased model as a plain diffusers folder."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(emoji=False)


def export(
    artifact: Annotated[Path, typer.Argument(help="Folder with erased.safetensors.")],
    folder: Annotated[Path, typer.Argument(help="New folder for the diffusers pipeline.")],
) -> None:
    """Write an erased model as a plain diffusers pipeline folder, where the erasure is weights."""
    from unlearncanvas.pipelines.artifacts import leaves_of, load_erased, read_artifact
    from unlearncanvas.pipelines.base_model import load_base
    from unlearncanvas.pipelines.quiet import silence_libraries

    silence_libraries()
    described, _ = read_artifact(artifact)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; name a new folder")
    if leaves_of(described) != "weights":
        raise ValueError(f"{described.eraser} leaves no weights that a plain pipeline could hold")
    pipe = load_erased(artifact, load_base(described.base))
    pipe.save_pretrained(folder)
    console.print(
        f"wrote {folder}; load it with StableDiffusionPipeline.from_pretrained", markup=False
    )
