"""submit, validate, verify and leaderboard on the command line."""

import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from unlearncanvas.cli import completion

if TYPE_CHECKING:
    from metrics.base import Score
    from unlearncanvas.publish.submissions.bundle import Card

console = Console(emoji=False)
Bundle = Annotated[Path, typer.Argument(help="Folder with bundle.json, or its zip file.")]
Detectors = Annotated[
    str | None, typer.Option(help="Folder of the classifiers' weights, for UnlearnCanvas.")
]
Protocol = Annotated[
    str | None, typer.Option(help="Its protocol's YAML file, if it is not of this package.")
]
Dataset = Annotated[str | None, typer.Option(help="UnlearnCanvas' images, to check FID and KID.")]


def submit(
    runs: Annotated[Path, typer.Argument(help="Folder of the runs.")],
    eraser: Annotated[
        str, typer.Option(help="Whose results.", autocompletion=completion.of("erasers"))
    ],
    card: Annotated[
        Path | None, typer.Option(help="YAML with method, paper, ...; asked for without it.")
    ] = None,
    tier: Annotated[str | None, typer.Option(help="Of several finished tiers, which one.")] = None,
    out: Annotated[Path, typer.Option(help="Root of the bundles.")] = Path("submissions"),
    artifacts: Annotated[
        str,
        typer.Option(help="Erased tensors to put in: small (up to 2 MB a target), all, none."),
    ] = "small",
) -> None:
    """Make a bundle of a finished run: results, predictions, digests, pictures, a card.

    Without its erased tensors a bundle is verified by erasing again, with the same version.
    """
    from unlearncanvas.core.registry import choose
    from unlearncanvas.publish.submissions.bundle import read_card, read_manifest
    from unlearncanvas.publish.submissions.finished import find_run
    from unlearncanvas.publish.submissions.seal import MAX_FILE
    from unlearncanvas.publish.submissions.submit import (
        SMALL,
        file_digests,
        write_bundle,
    )
    from unlearncanvas.publish.submissions.validate import reasons_against

    if not runs.exists():
        raise ValueError(f"{runs} does not exist; name a folder with results, e.g. runs")
    largest = {"none": -1, "small": SMALL, "all": MAX_FILE}
    choose("--artifacts", artifacts, largest)
    run = find_run(runs, eraser, tier)
    said = ask_for_card(eraser) if card is None else read_card(card)
    folder = write_bundle(out, run, said, largest=largest[artifacts])
    reasons = reasons_against(folder, protocol=run.protocol_file)
    size = sum((folder / name).stat().st_size for name in file_digests(folder))
    console.print(f"bundle    {folder}  ({size / 1e6:.1f} MB)", soft_wrap=True, markup=False)
    if reasons:
        _refuse(folder, reasons)
    manifest = read_manifest(folder)
    without = len(manifest.targets) - len(manifest.artifacts)
    if without:
        console.print(
            f"{without} targets come without their tensors: to verify them takes the same version "
            "of the eraser, and erasing again; --artifacts all puts them in",
            soft_wrap=True,
            markup=False,
        )
    console.print("valid     its scores are those of its predictions")


def ask_for_card(eraser: str) -> "Card":
    """Ask for everything that a card says, with what is known as the default."""
    from unlearncanvas.core.metadata import MethodMetadata
    from unlearncanvas.core.method_config import EraserConfig, read_config
    from unlearncanvas.core.registry import find_config, names
    from unlearncanvas.publish.submissions.bundle import Card

    about = MethodMetadata()
    if eraser in names("erasers"):
        about = read_config(EraserConfig, find_config("erasers", eraser)).about
    return Card(
        method=typer.prompt("Method", default=eraser),
        paper=typer.prompt("Paper", default=about.paper.label if about.paper else "none"),
        code=typer.prompt("Code", default=about.code or "none"),
        license=typer.prompt("License of the code", default=about.license or "none"),
        needs_target_images=typer.confirm(
            "Needs images of the target?", default="images" in about.needs
        ),
        needs_retain_data=typer.confirm("Needs data of the rest?", default="retain" in about.needs),
        tuned_on=typer.prompt("Settings chosen on (targets, seeds)"),
        contact=typer.prompt("Contact"),
        notes=typer.prompt("Notes", default=""),
    )


def validate(
    bundle: Bundle,
    protocol: Protocol = None,
    detectors: Detectors = None,
    dataset: Dataset = None,
) -> None:
    """Check a bundle: files, digests, completeness, and that its predictions give its scores."""
    from unlearncanvas.canvases.sources import Sources
    from unlearncanvas.publish.submissions.archive import opened
    from unlearncanvas.publish.submissions.validate import reasons_against

    with opened(bundle) as folder:
        sources = Sources(detectors=detectors, dataset=dataset)
        reasons = reasons_against(folder, sources, protocol=protocol)
    if reasons:
        _refuse(bundle, reasons)
    console.print(f"valid     {bundle}", soft_wrap=True, markup=False)


def verify(
    bundle: Bundle,
    by: Annotated[str, typer.Option(help="Your name, put under it.")],
    images: Annotated[
        int | None, typer.Option(min=1, help="To draw again; default: 5 %, at least 100.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Chooses which; default: a fresh random one.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Base model; default: the protocol's.")] = None,
    protocol: Protocol = None,
    detectors: Detectors = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Import the eraser that the bundle names.")
    ] = False,
) -> None:
    """Draw a random part of a bundle again, from its erased tensors, and compare.

    Writes verified.json beside it if the bundle is a folder; exit code 1 if it does not hold.
    """
    from unlearncanvas.canvases.sources import Sources
    from unlearncanvas.cli.progress import bar
    from unlearncanvas.pipelines.quiet import silence_libraries
    from unlearncanvas.publish.submissions.archive import opened
    from unlearncanvas.publish.submissions.validate import reasons_against
    from unlearncanvas.publish.submissions.verify import Verifier, write_verification

    silence_libraries()
    verifier = Verifier(
        by=by,
        seed=secrets.randbits(32) if seed is None else seed,
        images=images,
        device=device,
        model=model,
        protocol=protocol,
        sources=Sources(detectors=detectors),
        trust_code=trust_code,
    )
    with opened(bundle) as folder:
        reasons = reasons_against(folder, verifier.sources, protocol=protocol)
        if reasons:
            _refuse(bundle, reasons)
        contents = verifier.opened(folder)
        with bar(len(verifier.choices(contents)), console) as progress:
            progress.drawing(f"again, for {by}")
            found = replace(verifier, on_batch=progress.drawn).verify(contents)
        path = write_verification(folder, found) if bundle.is_dir() else None
    pictures = "" if found.distance is None else f", small pictures {found.distance:.3f} apart"
    console.print(
        f"{'verified' if found.passed else 'REFUSED '}  {found.images} images drawn again: "
        f"{found.same_predictions:.1f} % [{found.low:.1f}, {found.high:.1f}] predicted alike, "
        f"{found.same_pixels:.1f} % the same to the byte{pictures}; seed {found.seed}",
        soft_wrap=True,
        markup=False,
    )
    if path is not None:
        console.print(f"written   {path}", soft_wrap=True, markup=False)
    if not found.passed:
        raise typer.Exit(1)


def reseal(
    folders: Annotated[list[Path], typer.Argument(help="Bundles, or folders of bundles.")],
    protocol: Protocol = None,
    detectors: Detectors = None,
    dataset: Dataset = None,
) -> None:
    """Score bundles again with today's metrics and seal them again; for maintainers.

    Predictions, pictures and artifacts are not touched. A bundle moves to the folder of its
    revision; its verification is kept, since it rests on what is not touched.
    """
    from unlearncanvas.canvases.sources import Sources
    from unlearncanvas.pipelines.quiet import silence_libraries
    from unlearncanvas.publish.submissions.bundle import bundles
    from unlearncanvas.publish.submissions.reseal import reseal as seal_again

    silence_libraries()
    found = [bundle for root in folders for bundle in bundles(root)]
    if not found:
        raise ValueError(f"no bundles under {', '.join(map(str, folders))}")
    for bundle in found:
        sources = Sources(detectors=detectors, dataset=dataset)
        done = seal_again(bundle, sources, protocol=protocol)
        kept = "verified as before" if done.verified else "not verified"
        console.print(
            f"resealed  {bundle} -> {done.folder.name}, {len(done.changes)} scores changed, {kept}",
            soft_wrap=True,
            markup=False,
        )
        for name, old, new in done.changes:
            console.print(f"  {name}: {_said(old)} -> {_said(new)}", markup=False, soft_wrap=True)


def _said(score: "Score | None") -> str:
    """A score and its interval, to all digits that a change may be in."""
    if score is None:
        return "none"
    between = "" if score.low is None else f" [{score.low:.9g}, {score.high:.9g}]"
    return f"{score.value:.9g}{between}"


def leaderboard(
    submissions: Annotated[Path, typer.Argument(help="Root of the bundles.")],
    out: Annotated[Path, typer.Option(help="Folder of the site.")] = Path("leaderboard"),
    hub: Annotated[
        Path | None, typer.Option(help="Folder for the Hub's .eval_results files.")
    ] = None,
) -> None:
    """Build the site of a folder of bundles; reported and verified are told apart."""
    from unlearncanvas.cli.report import page_folder
    from unlearncanvas.publish.report.page import Page
    from unlearncanvas.publish.report.papers import write_papers
    from unlearncanvas.publish.submissions.leaderboard import leaderboards_of, write_hub_results

    found = leaderboards_of(submissions)
    with page_folder(out):
        page = Page(out, "UnlearnCanvas leaderboard").write(found)
        write_papers(out, found)
    rows = sum(len(leaderboard.rows) for leaderboard in found.leaderboards)
    console.print(
        f"page      {page}  ({len(found.leaderboards)} leaderboards, {rows} rows)",
        soft_wrap=True,
        markup=False,
    )
    if hub is not None:
        console.print(
            f"hub       {len(write_hub_results(submissions, hub))} files in {hub}", markup=False
        )


def _refuse(bundle: Path, reasons: list[str]) -> None:
    """Say why, all of it, and end with exit code 1."""
    for reason in reasons:
        console.print(f"refused   {reason}", style="red", markup=False, soft_wrap=True)
    count = f"{len(reasons)} reason{'s' if len(reasons) > 1 else ''}"
    console.print(f"{count} against {bundle}", markup=False, soft_wrap=True)
    raise typer.Exit(1)
