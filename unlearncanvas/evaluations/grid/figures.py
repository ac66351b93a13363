"""Figures of the grid evaluation: heat map, contact sheets, comparisons."""

from collections.abc import Sequence
from pathlib import Path

from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.job import Figure, Job
from unlearncanvas.engine.scoring import Scoring
from unlearncanvas.evaluations.grid.sheets import comparison_sheet, contact_sheet, heat_map
from unlearncanvas.results.schema import Row
from unlearncanvas.types import Concept


def draw_figures(evaluation: Evaluation, rows: Sequence[Row], scoring: Scoring) -> list[Figure]:
    """Write the heat map, a contact sheet for each target, and comparisons of several erasers."""
    folder = evaluation.run_folder()
    folder.mkdir(parents=True, exist_ok=True)
    pairs = list(zip(evaluation.jobs(), rows, strict=True))
    base = next(_picture(job, scoring) for job, _ in pairs if job.is_base)
    tested = [(job, row) for job, row in pairs if job.role == "tested"]
    figures = [_heat_map(evaluation, pairs, folder)]
    figures += [_sheet(evaluation, job, base, scoring, folder) for job, _ in tested]
    if len({job.label for job, _ in tested}) > 1:
        for name in dict.fromkeys(job.group["target"] for job, _ in tested):
            grids = {"base model": base}
            for job, _ in tested:
                if job.group["target"] == name:
                    grids[job.label] = _picture(job, scoring)
            figures.append(_comparison(evaluation, Concept.parse(name), grids, folder))
    return figures


def _picture(job: Job, scoring: Scoring) -> Path:
    """The small picture of the first seed."""
    return scoring.drawn(job)[job.image_sets[0].name].units[0].chunk.picture_path


def _heat_map(evaluation: Evaluation, pairs: Sequence[tuple[Job, Row]], folder: Path) -> Figure:
    several = len({job.label for job, _ in pairs if job.role == "tested"}) > 1
    accuracies = {}
    for job, row in pairs:
        values = {name: score.value for name, score in row.details.items()}
        if job.is_base:
            accuracies["base model"] = values
        elif job.role == "tested":
            target = job.group["target"]
            accuracies[f"{job.label} {target}" if several else target] = values
    erasers = dict.fromkeys(row.eraser for _, row in pairs if row.role == "tested")
    title = f"{', '.join(erasers) or 'base'} · {evaluation.name} {evaluation.tier}"
    path = folder / "heatmap.png"
    heat_map(accuracies, evaluation.grid, title=title, path=path)
    return Figure(path, "heatmap")


def _sheet(evaluation: Evaluation, job: Job, base: Path, scoring: Scoring, folder: Path) -> Figure:
    target = Concept.parse(job.group["target"])
    path = folder / f"sheet-{job.label.replace(' ', '-')}-{target.slug}.png"
    contact_sheet(
        evaluation.grid,
        target,
        before=base,
        after=_picture(job, scoring),
        title=f"{job.recipe.last.method.name} forgets {target}, seed {evaluation.seeds[0]}",
        path=path,
    )
    return Figure(path, "sheet", job.label, job.group)


def _comparison(
    evaluation: Evaluation, target: Concept, grids: dict[str, Path], folder: Path
) -> Figure:
    path = folder / f"compare-{target.slug}.png"
    title = f"{target} forgotten, and its neighbor, seed {evaluation.seeds[0]}"
    comparison_sheet(evaluation.grid, target, grids=grids, title=title, path=path)
    return Figure(path, "compare", group={"target": str(target)})
