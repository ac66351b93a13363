"""A run in the terminal: the bar, the table, the pictures, where the files are."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from unlearncanvas.core.config import ConfiguredEraser
from unlearncanvas.core.json_file import read_json
from unlearncanvas.engine.callbacks import Callback, CallbackList
from unlearncanvas.engine.drawing import grid_path
from unlearncanvas.engine.shards import Shard
from unlearncanvas.evaluations.grid.exam import Exam
from unlearncanvas.evaluations.grid.plan import Plan
from unlearncanvas.evaluations.grid.protocol import GridProtocol
from unlearncanvas.evaluations.grid.sheets import comparison_sheet, contact_sheet, heat_map
from unlearncanvas.evaluations.grid.tracked import runs_of, summaries_of
from unlearncanvas.pipelines.quiet import silence_libraries
from unlearncanvas.publish.tracking.async_tracker import AsyncTracker
from unlearncanvas.publish.tracking.callback import TrackerCallback
from unlearncanvas.results.schema import BASELINES, Result, RunResults
from unlearncanvas.results.tables import tables
from unlearncanvas.types import Concept


class _Rate(ProgressColumn):
    """Images per second while drawing; erasing is not counted."""

    def render(self, task: Task) -> Text:
        rate = task.fields.get("rate")
        return Text("" if rate is None else f"{rate:.1f} images/s", style="cyan")


@final
class Bar(Callback):
    """Shows an exam's progress."""

    def __init__(self, progress: Progress, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=total, rate=None)
        self._images, self._seconds, self._last = 0, 0.0, time.perf_counter()

    def erasing(self, eraser: str, what: str) -> None:
        """Name the erasure."""
        self._progress.update(self._task, description=f"erase {eraser} {what}")

    def drawing(self, label: str) -> None:
        """Name the chunk."""
        self._last = time.perf_counter()
        self._progress.update(self._task, description=f"draw {label}")

    def drawn(self, count: int) -> None:
        """Advance, and show the rate."""
        now = time.perf_counter()
        self._images, self._seconds = self._images + count, self._seconds + now - self._last
        self._last = now
        self._progress.update(self._task, advance=count, rate=self._images / self._seconds)

    def reused(self, count: int) -> None:
        """Advance over what was there."""
        self._progress.update(self._task, advance=count)


def _whole(width: int) -> Column:
    """A column of numbers; where a terminal is narrow the name of the work gives way."""
    return Column(no_wrap=True, min_width=width)


@contextmanager
def bar(total: int | None, console: Console) -> Iterator[Bar]:
    """Show a bar of ``total`` images; None where nobody knows yet."""
    columns = (
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        ),
        BarColumn(bar_width=16),
        MofNCompleteColumn(table_column=_whole(11)),
        _Rate(table_column=_whole(14)),
        TimeElapsedColumn(table_column=_whole(7)),
        TimeRemainingColumn(table_column=_whole(7)),
    )
    with Progress(*columns, console=console) as progress:
        yield Bar(progress, total)


def say_templates(
    protocol: GridProtocol, erasers: Sequence[ConfiguredEraser], console: Console
) -> None:
    """Print which prompt templates the protocol brings, and which erasers have their own."""
    brought = ", ".join(f"{kind} {template!r}" for kind, template in protocol.templates)
    parts = [f"from protocol {protocol.name}: {brought}"]
    for eraser in erasers:
        own = ", ".join(
            f"{name} {value!r}"
            for name, value in eraser.settings.items()
            if name.endswith(("_prompt", "_context")) and value is not None
        )
        parts += [f"{eraser.name} has its own: {own}"] if own else []
    line = f"prompts   {'; '.join(parts)}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def run(plan: Plan, console: Console, *, trackers: Sequence[AsyncTracker] = ()) -> RunResults:
    """Run a plan and show what came out; trackers log it as it goes."""
    silence_libraries()
    say_templates(plan.protocol, plan.erasers, console)
    plan.run_folder().mkdir(parents=True, exist_ok=True)
    tracking = TrackerCallback(trackers, runs_of(plan))
    with bar(plan.num_images(), console) as progress:
        exam = Exam(plan=plan, callback=CallbackList([progress, tracking]))
        results = exam.run()
    pictures = draw_pictures(plan, exam)
    tracking.finish(summaries_of(plan, results, pictures))
    for table in tables(results):
        console.print(table)
    console.print(f"results   {plan.run_folder() / 'results.json'}", soft_wrap=True, markup=False)
    for path in pictures:
        console.print(f"picture   {path}", soft_wrap=True, markup=False)
    return results


def run_on_ray(plan: Plan, address: str, console: Console) -> list[str]:
    """Erase and draw on a Ray cluster; return a line for every task that was given up."""
    from unlearncanvas.engine.ray_cluster import Driver, import_ray

    import_ray()
    silence_libraries()
    say_templates(plan.protocol, plan.erasers, console)
    with bar(plan.num_images(), console) as progress:
        progress.drawing(f"draw on {address}")
        given_up = Driver(exam=Exam(plan=plan, callback=progress), address=address).run()
    for line in given_up:
        console.print(f"given up: {line}", style="red", markup=False, soft_wrap=True)
    return given_up


def run_shard(plan: Plan, shard: Shard, console: Console, *, launched: bool = False) -> None:
    """Erase and draw a part of a plan; say how the whole is finished, unless a launcher does it."""
    silence_libraries()
    say_templates(plan.protocol, plan.erasers, console)
    tasks = [job for job in plan.jobs() for _ in plan.seeds]
    mine = shard.of(tasks)
    with bar(sum(map(plan.images_of, mine)), console) as progress:
        Exam(plan=plan, callback=progress).draw_shard(shard)
    drawn = f"its {len(mine)} of {len(tasks)} chunks are drawn"
    if launched:
        console.print(
            f"process {shard.index} of {shard.count}: {drawn}", soft_wrap=True, markup=False
        )
        return
    console.print(
        f"shard {shard.index}/{shard.count}: {drawn}. "
        "When all are, run the same command without --shard: it draws nothing and shows the table. "
        "Folders of several machines are put together first: unlearncanvas merge A B --out RUNS",
        soft_wrap=True,
        markup=False,
    )


def draw_pictures(plan: Plan, exam: Exam) -> list[Path]:
    """Write the heat map, and a contact sheet for every target; return their paths."""
    accuracies, base_grid, paths = {}, None, []
    grids: dict[Concept, dict[str, Path]] = {}
    several = len(plan.erasers) > len(BASELINES) + 1
    for job, artifact in exam.done:
        if job.eraser.name == "noise":
            continue
        grid = grid_path(exam.chunk(artifact, job, plan.seeds[0]))
        folder = plan.result_folder(job, job.targets[0])
        result = read_json(Result, folder / "result.json")
        values = {name: score.value for name, score in result.concept_accuracy.items()}
        if job.eraser.name == "none":
            base_grid, accuracies["base model"] = grid, values
            continue
        parts = [job.eraser.name] if several else []
        parts += [f"seed {job.task.seed}"] if len(plan.erase_seeds) > 1 else []
        label = " ".join([*parts, result.target])
        accuracies[label] = values
        if base_grid is not None:
            name = label.removesuffix(result.target).strip()
            grids.setdefault(job.targets[0], {"base model": base_grid})[name] = grid
            path = folder / "sheet.png"
            contact_sheet(
                plan.protocol,
                job.targets[0],
                before=base_grid,
                after=grid,
                title=f"{job.eraser.name} forgets {result.target}, seed {plan.seeds[0]}",
                path=path,
            )
            paths.append(path)
    for target, under in grids.items() if several else ():
        path = plan.run_folder() / f"compare-{target.slug}.png"
        title = f"{target} forgotten, and its neighbour, seed {plan.seeds[0]}"
        comparison_sheet(plan.protocol, target, grids=under, title=title, path=path)
        paths.append(path)
    names = ", ".join(item.name for item in plan.erasers if item.name not in BASELINES) or "base"
    path = plan.run_folder() / "heatmap.png"
    title = f"{names} · {plan.protocol.name} {plan.tier}"
    heat_map(accuracies, plan.protocol, title=title, path=path)
    return [path, *paths]
