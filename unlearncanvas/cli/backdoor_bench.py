"""The backdoor exam on the command line: ``python -m unlearncanvas.bench --protocol backdoor``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from unlearncanvas.core.config import load_eraser
from unlearncanvas.engine.options import (
    drawing_of,
    load_erasers,
    pick_device,
    refuse,
    resolved,
    sources_of,
)
from unlearncanvas.evaluations.grid.plan import CUSTOM
from unlearncanvas.results.run_config import RunConfig

if TYPE_CHECKING:
    from unlearncanvas.evaluations.backdoor.plan import BackdoorPlan
    from unlearncanvas.publish.tracking.async_tracker import AsyncTracker

GRID_ONLY = ("seeds", "erase_seeds", "keep_images", "shard", "ray", "artifacts")
"""Options that this evaluation does not have."""


def make_backdoor_plan(config: RunConfig) -> "BackdoorPlan":
    """Return the plan of a run.

    Raises:
        ValueError: One line, for the first option that cannot be.
    """
    from unlearncanvas.evaluations.backdoor.plan import BackdoorPlan
    from unlearncanvas.evaluations.backdoor.protocol import load_backdoor_protocol

    refuse(config, GRID_ONLY, "does not go with the backdoor protocol")
    whole = load_backdoor_protocol(config.protocol)
    grid = drawing_of(config, whole.grid)
    whole = whole.model_copy(update={"grid": grid})
    name = whole.default_tier if config.tier is None else config.tier
    rules = whole.for_tier(name)
    if config.targets is not None:
        rules = rules.model_copy(update={"attacks": tuple(dict.fromkeys(config.targets))})
    configured = [
        load_eraser(attack, preset=grid.preset, kind="attacks") for attack in rules.attacks
    ]
    names = list(dict.fromkeys(config.erasers))
    return BackdoorPlan(
        config=resolved(config, grid.sampler, tier=name),
        protocol=rules,
        whole=whole,
        model=config.model or grid.model,
        tier=name if config.targets is None else CUSTOM,
        attacks=tuple(configured),
        erasers=tuple(load_erasers(names, config.settings, grid.preset)),
        known=config.known_fraction,
        knowledge=config.trigger_knowledge,
        device=pick_device(config.device),
        out=config.out,
        skip_base_check=config.skip_base_check,
        sources=sources_of(config),
        counts=name,
    )


def preview(plan: "BackdoorPlan", console: Console) -> None:
    """Print what a plan would do: images, UFE, bytes; and, with the weights, the time."""
    from unlearncanvas.engine.forecast import (
        local_base,
        row_bytes,
        say_disk,
        say_time,
        say_work,
        ufe_of_image,
    )
    from unlearncanvas.engine.training_images import generated_ufe
    from unlearncanvas.evaluations.backdoor.poison import as_attack
    from unlearncanvas.evaluations.backdoor.sheets import removal_task
    from unlearncanvas.pipelines.quiet import silence_libraries
    from unlearncanvas.pipelines.ufe import forecast

    silence_libraries()
    rules, attacks = plan.protocol.grid, list(map(as_attack, plan.attacks))
    tasks = [
        removal_task(plan.protocol, attack, known=plan.known_to_defender(attack), clean_unet=None)
        for attack in attacks
    ]
    erasing = 0
    for kind, configured in (("inject", plan.attacks), ("erase", plan.erasers)):
        for item in configured:
            times = 1 if kind == "inject" else len(plan.attacks)
            erasing += (item.eraser.planned_ufe() or 0) * times
            if kind == "erase":  # every attack has a base model of its own, which draws for it
                erasing += sum(generated_ufe(item.eraser, [task]) for task in tasks)
            console.print(
                f"{kind:6}  {item.name:20} {times:3} x UFE {forecast(item.eraser)}", markup=False
            )
    images, sampler = plan.num_images(), rules.sampler
    drawing = images * ufe_of_image(sampler)
    say_work(console, plan.protocol.name, plan.whole.digest, images, drawing, erasing)
    pipe, reason = local_base(plan.model, sampler, plan.device)
    pixels = 3 * sampler.height * sampler.width  # the images are kept, as PNG
    num_unets = len(attacks) * (1 + len(plan.erasers))
    say_disk(console, plan.out, images * (row_bytes(rules) + pixels), num_unets, pipe)
    say_time(console, pipe, reason, rules, images=images, erasing=erasing)


def run(plan: "BackdoorPlan", console: Console, *, trackers: "Sequence[AsyncTracker]" = ()) -> None:
    """Run a plan and show what came out; trackers log it as it goes."""
    from unlearncanvas.cli.terminal import bar, say_templates
    from unlearncanvas.engine.callbacks import CallbackList
    from unlearncanvas.evaluations.backdoor.exam import BackdoorExam
    from unlearncanvas.evaluations.backdoor.old_figures import removal_sheet
    from unlearncanvas.evaluations.backdoor.old_tables import tables
    from unlearncanvas.evaluations.backdoor.results import FILE
    from unlearncanvas.evaluations.backdoor.tracked import run_of, summary_of
    from unlearncanvas.pipelines.quiet import silence_libraries
    from unlearncanvas.publish.tracking.callback import TrackerCallback

    silence_libraries()
    say_templates(plan.protocol.grid, plan.erasers, console)
    plan.run_folder().mkdir(parents=True, exist_ok=True)
    runs = {eraser.name: run_of(plan, eraser) for eraser in plan.erasers}
    tracking = TrackerCallback(trackers, runs)
    with bar(plan.num_images(), console) as progress:
        exam = BackdoorExam(plan=plan, callback=CallbackList([progress, tracking]))
        results = exam.run()
    pictures = {attack: plan.run_folder() / f"sheet-{attack}.png" for attack in exam.drawn}
    for attack, path in pictures.items():
        title = f"{attack}: removal, same noise in each column"
        removal_sheet(exam.drawn[attack], title=title, path=path)
    tracking.finish({name: summary_of(plan, name, results, pictures) for name in runs})
    for table in tables(results):
        console.print(table)
    console.print(f"results   {plan.run_folder() / FILE}", soft_wrap=True, markup=False)
    for path in pictures.values():
        console.print(f"picture   {path}", soft_wrap=True, markup=False)
