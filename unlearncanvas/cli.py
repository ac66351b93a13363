"""The console script ``unlearncanvas``: bench, ls, export."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from unlearncanvas.agreement import agreement
from unlearncanvas.backdoors.inject import app as backdoor_app
from unlearncanvas.bench import EXAMPLES, bench, run_app
from unlearncanvas.config import choose, find_config, import_class, load_eraser, names, read_yaml
from unlearncanvas.merge import merge
from unlearncanvas.score_command import score
from unlearncanvas.site.compare import compare
from unlearncanvas.site.report import report
from unlearncanvas.submissions.commands import leaderboard, submit, validate, verify
from unlearncanvas.tracking.command import track
from unlearncanvas.tune import tune

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The exam for concept unlearning in text-to-image diffusion models.",
)
app.command(epilog=EXAMPLES)(bench)
app.command()(tune)
app.command()(agreement)
app.command()(score)
app.command()(merge)
app.command()(report)
app.command()(compare)
app.command()(track)
app.command()(submit)
app.command()(validate)
app.command()(verify)
app.command()(leaderboard)
app.add_typer(backdoor_app, name="backdoor")
console = Console()


@app.command()
def ls(
    what: Annotated[str, typer.Argument(help="erasers, protocols, targets or metrics")],
    protocol: Annotated[str, typer.Option(help="Whose targets.")] = "mini",
) -> None:
    """List what there is."""
    choose("list", what, ["erasers", "protocols", "targets", "metrics"])
    if what == "protocols":
        console.print(_protocols())
    elif what == "targets":
        console.print(_targets(protocol))
    elif what == "metrics":
        console.print(_metrics())
    else:
        console.print(_erasers())


def _metrics() -> Table:
    """The registered metrics with the first line of their module's docstring."""
    table = Table("name", "what it is", "class")
    for name in names("metrics"):
        dotted = read_yaml(find_config("metrics", name))["class"]
        table.add_row(name, first_line(import_class(dotted)), dotted)
    return table


def _erasers() -> Table:
    """The registered erasers with what they need, leave and cost."""
    table = Table("name", "what it is", "family", "paper", "authors' code", "needs", "leaves")
    table.add_column("UFE on mini", justify="right")
    for name in names("erasers"):
        about = read_yaml(find_config("erasers", name)).get("about", {})
        eraser = load_eraser(name, preset="mini").eraser
        code = f"{about['code']} ({about['licence']})" if "code" in about else ""
        work = eraser.planned_ufe()
        table.add_row(
            name,
            first_line(type(eraser)),
            about.get("family", ""),
            about.get("paper", ""),
            code,
            ", ".join(sorted(eraser.needs)),
            eraser.leaves,
            "" if work is None else f"{work:,}",
        )
    return table


def first_line(cls: type) -> str:
    """Return the first line of the docstring of a class's module, without its name in front."""
    text = (sys.modules[cls.__module__].__doc__ or "").strip().splitlines()[0]
    return text.rpartition(": ")[2] if ": " in text else text


def _protocols() -> Table:
    """Protocols with their tiers and image counts."""
    from unlearncanvas.backdoors.protocol import is_backdoor, load_backdoor_protocol
    from unlearncanvas.protocol import load_protocol

    table = Table("name", "tier", "targets", "seeds", "images an eraser", "digest")
    for name in names("protocols"):
        if is_backdoor(name):
            backdoors = load_backdoor_protocol(name)
            for tier in backdoors.tiers:
                label = f"{tier} (default)" if tier == backdoors.default_tier else tier
                chosen = backdoors.for_tier(tier)
                attacks = f"{len(chosen.attacks)} attacks"
                count = f"about {chosen.images_per_attack:,} an attack"
                table.add_row(name, label, attacks, "", count, backdoors.digest[:12])
            continue
        protocol = load_protocol(name)
        for tier in protocol.tiers:
            targets, seeds = protocol.tier_targets(tier), protocol.tier_seeds(tier)
            label = f"{tier} (default)" if tier == protocol.default_tier else tier
            images = protocol.num_images(targets, seeds)
            table.add_row(
                name, label, f"{len(targets)}", f"{len(seeds)}", f"{images:,}", protocol.digest[:12]
            )
    return table


def _targets(protocol: str) -> Table:
    """The targets of a protocol, with what erasers are told to map them to."""
    from unlearncanvas.protocol import load_protocol

    rules = load_protocol(protocol)
    table = Table("kind", "target", "anchor", "tiers")
    for target in rules.targets.concepts():
        tiers = [tier for tier in rules.tiers if target in rules.tier_targets(tier)]
        anchor = rules.task(target, seed=0).anchor
        table.add_row(target.kind, target.name, anchor.name if anchor else "", ", ".join(tiers))
    return table


@app.command()
def export(
    artefact: Annotated[Path, typer.Argument(help="Folder with erased.safetensors.")],
    folder: Annotated[Path, typer.Argument(help="New folder for the diffusers pipeline.")],
) -> None:
    """Write an erased model as a plain diffusers pipeline folder, where the erasure is weights."""
    from unlearncanvas.base_model import load_base
    from unlearncanvas.models import load_erased, read_artefact
    from unlearncanvas.terminal import silence_libraries

    silence_libraries()
    described, _ = read_artefact(artefact)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; name a new folder")
    if import_class(described.eraser_class).leaves != "weights":
        raise ValueError(f"{described.eraser} leaves no weights that a plain pipeline could hold")
    pipe = load_erased(artefact, load_base(described.base))
    pipe.save_pretrained(folder)
    console.print(f"wrote {folder}; load it with StableDiffusionPipeline.from_pretrained")


def main() -> None:
    """Run the console script."""
    run_app(app)


if __name__ == "__main__":
    main()
