"""The console script ``unlearncanvas``: all commands; ``export`` is here."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from unlearncanvas.cli.app import run_app
from unlearncanvas.cli.backdoor import app as backdoor_app
from unlearncanvas.cli.bench import EXAMPLES, bench
from unlearncanvas.cli.cite import cite
from unlearncanvas.cli.compare import compare
from unlearncanvas.cli.ls import ls
from unlearncanvas.cli.merge import merge
from unlearncanvas.cli.options import Sectioned
from unlearncanvas.cli.rank_correlation import old_name, rank_correlation
from unlearncanvas.cli.report import report
from unlearncanvas.cli.score import score
from unlearncanvas.cli.submissions import leaderboard, reseal, submit, validate, verify
from unlearncanvas.cli.track import track
from unlearncanvas.cli.tune import tune

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The exam for concept unlearning in text-to-image diffusion models.",
)
app.command(cls=Sectioned, epilog=EXAMPLES)(bench)
app.command()(ls)
app.command()(cite)
app.command()(tune)
app.command()(rank_correlation)
app.command("agreement", hidden=True)(old_name)
app.command()(score)
app.command()(merge)
app.command()(report)
app.command()(compare)
app.command()(track)
app.command()(submit)
app.command()(validate)
app.command()(verify)
app.command()(reseal)
app.command()(leaderboard)
app.add_typer(backdoor_app, name="backdoor")
console = Console(emoji=False)


@app.command()
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


def main() -> None:
    """Run the console script; classes are looked for in the working folder, too, after all else."""
    if not sys.flags.safe_path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    run_app(app)


if __name__ == "__main__":
    main()
