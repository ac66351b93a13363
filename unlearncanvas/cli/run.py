"""Run an evaluation in the terminal: progress bar, tables, figures, paths of the files."""

from collections.abc import Sequence

from rich.console import Console

from unlearncanvas.cli.progress import bar
from unlearncanvas.engine.callbacks import CallbackList
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.forecast import forecast
from unlearncanvas.engine.grid import Grid
from unlearncanvas.engine.opening import opened
from unlearncanvas.engine.shards import Shard
from unlearncanvas.engine.tracked import summaries_of, tracked_runs
from unlearncanvas.engine.work import num_images, recipes_of, tasks_of
from unlearncanvas.pipelines.methods import ConfiguredEraser
from unlearncanvas.pipelines.quiet import silence_libraries
from unlearncanvas.publish.tracking.async_tracker import AsyncTracker
from unlearncanvas.publish.tracking.callback import TrackerCallback
from unlearncanvas.results.export import to_terminal
from unlearncanvas.results.schema import Results


def preview(evaluation: Evaluation, console: Console) -> None:
    """Print the work of an evaluation and what it costs, for ``--dry-run``."""
    silence_libraries()
    for line in forecast(evaluation):
        console.print(line, soft_wrap=True, markup=False)


def run(
    evaluation: Evaluation, console: Console, *, trackers: Sequence[AsyncTracker] = ()
) -> Results:
    """Run an evaluation and show its tables and pictures; trackers log it as it goes."""
    silence_libraries()
    print_templates(evaluation, console)
    evaluation.run_folder().mkdir(parents=True, exist_ok=True)
    tracking = TrackerCallback(trackers, tracked_runs(evaluation))
    with bar(num_images(tasks_of(evaluation)), console) as progress:
        callback = CallbackList([progress, tracking])
        with opened(evaluation, callback) as runner:
            results = runner.run()
    tracking.finish(summaries_of(evaluation, results))
    for table in evaluation.tables(results):
        console.print(to_terminal(table))
    folder = evaluation.run_folder()
    console.print(f"results   {folder / 'results.json'}", soft_wrap=True, markup=False)
    for picture in results.pictures:
        console.print(f"picture   {folder / picture.path}", soft_wrap=True, markup=False)
    return results


def run_on_ray(evaluation: Evaluation, address: str, console: Console) -> list[str]:
    """Make models and draw on a Ray cluster; return a line for every task that was given up."""
    from unlearncanvas.engine.ray_driver import Driver, import_ray

    import_ray()
    silence_libraries()
    print_templates(evaluation, console)
    with bar(num_images(tasks_of(evaluation)), console) as progress:
        progress.drawing(f"draw on {address}")
        with opened(evaluation, progress) as runner:
            given_up = Driver(runner=runner, address=address).run()
    for line in given_up:
        console.print(f"given up: {line}", style="red", markup=False, soft_wrap=True)
    return given_up


def run_shard(
    evaluation: Evaluation, shard: Shard, console: Console, *, launched: bool = False
) -> None:
    """Draw a shard of an evaluation; print how to finish the whole, unless a launcher does it."""
    silence_libraries()
    print_templates(evaluation, console)
    tasks = tasks_of(evaluation)
    mine = shard.of(tasks)
    with bar(num_images(mine), console) as progress, opened(evaluation, progress) as runner:
        runner.run_shard(shard)
    drawn = f"its {len(mine)} of {len(tasks)} chunks are drawn"
    if launched:
        line = f"process {shard.index} of {shard.count}: {drawn}"
    else:
        line = (
            f"shard {shard.index}/{shard.count}: {drawn}. When all are, run the same command "
            "without --shard: it draws nothing and shows the table. Folders of several machines "
            "are put together first: unlearncanvas merge A B --out RUNS"
        )
    console.print(line, soft_wrap=True, markup=False)


def print_templates(evaluation: Evaluation, console: Console) -> None:
    """Print which prompt templates the protocol brings, and which methods have their own."""
    methods = {item.last.method.name: item.last.method for item in recipes_of(evaluation).values()}
    line = templates_line(evaluation.grid, list(methods.values()))
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def templates_line(grid: Grid, methods: Sequence[ConfiguredEraser]) -> str:
    """Return which prompt templates a protocol brings, and which methods have their own."""
    brought = ", ".join(f"{kind} {template!r}" for kind, template in grid.templates)
    parts = [f"from protocol {grid.name}: {brought}"]
    for method in methods:
        own = ", ".join(
            f"{name} {value!r}"
            for name, value in method.settings.items()
            if name.endswith(("_prompt", "_context")) and value is not None
        )
        parts += [f"{method.name} has its own: {own}"] if own else []
    return f"prompts   {'; '.join(parts)}"
