"""An evaluation as runs of a tracker: one for each label of its rows."""

from collections.abc import Iterator

from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.job import Job
from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun, numbers
from unlearncanvas.engine.work import built_on
from unlearncanvas.results.schema import FILE, MeanRow, Results, Row

COSTS = ("ufe", "erase_seconds", "stored_bytes", "peak_memory_bytes", "ufe_per_image")


def tracked_runs(evaluation: Evaluation) -> dict[str, TrackedRun]:
    """Return the runs of an evaluation by label; models that others build on have none."""
    jobs = evaluation.jobs()
    inner = built_on(evaluation, jobs)
    found: dict[str, TrackedRun] = {}
    for job in jobs:
        if job.recipe.steps and evaluation.folder_of(job.recipe) not in inner:
            found.setdefault(job.label, _run(evaluation, job))
    return found


def _run(evaluation: Evaluation, job: Job) -> TrackedRun:
    step = job.recipe.last
    return TrackedRun(
        name=job.label,
        group=evaluation.name,
        folder=evaluation.run_folder() / "tracked" / job.label.replace(" ", "-"),
        config={
            "settings": step.method.settings,
            "version": step.method.version,
            "source_digest": step.method.source_digest,
            "evaluation": evaluation.kind,
            "protocol": evaluation.name,
            "protocol_digest": evaluation.digest,
            "model": evaluation.model,
            "tier": evaluation.tier,
            "groups": [
                group for item in evaluation.jobs() if item.label == job.label
                for group in item.group.values()
            ],
            "seeds": list(evaluation.seeds),
            "erase_seed": step.task.seed,
            "options": dict(evaluation.config),
        },
    )  # fmt: skip


def summaries_of(evaluation: Evaluation, results: Results) -> dict[str, RunSummary]:
    """Return the summary of every run, by label: its own figures, and those of all rows."""
    folder = evaluation.run_folder()
    return {
        label: RunSummary(
            scores=scores_of(results, label),
            pictures={
                "/".join([*item.group.values(), item.name]): folder / item.path
                for item in results.pictures
                if item.label in (None, label)
            },
            files=[folder / FILE],
        )
        for label in tracked_runs(evaluation)
    }


def scores_of(results: Results, label: str) -> dict[str, float]:
    """Return the numbers of a label: its means where there are any, else its rows."""
    found: dict[str, float] = {}
    for group, row, costs in _numbered(results, label):
        found |= numbers(group, row.scores, costs)
    return found


def _numbered(
    results: Results, label: str
) -> Iterator[tuple[str, Row | MeanRow, dict[str, float | None]]]:
    means = [row for row in results.means if row.label == label]
    for mean in means:
        yield mean.kind, mean, {name: getattr(mean, name) for name in COSTS}
    for row in results.rows if not means else ():
        if row.label == label:
            yield "/".join(row.group.values()), row, _costs(row)


def _costs(row: Row) -> dict[str, float | None]:
    cost = row.cost
    if cost is None:
        return {"ufe_per_image": row.ufe_per_image}
    return {
        "ufe": cost.ufe,
        "erase_seconds": cost.seconds,
        "stored_bytes": cost.stored_bytes,
        "peak_memory_bytes": cost.peak_memory_bytes,
        "ufe_per_image": row.ufe_per_image,
    }
