"""The backdoor exam on the command line: ``python -m unlearncanvas.bench --protocol backdoor``."""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console

from unlearncanvas.config import choose, load_eraser, parse_overrides
from unlearncanvas.options import drawing_as_asked, split
from unlearncanvas.sources import SHIPPED, Sources

if TYPE_CHECKING:
    import torch

    from unlearncanvas.backdoors.plan import BackdoorPlan
    from unlearncanvas.tracking.tracker import Tracker


def make_backdoor_plan(
    *,
    erasers: list[str],
    protocol: str,
    tier: str | None,
    attacks: list[str],
    settings: list[str],
    known: float | None,
    knowledge: str | None,
    device: "torch.device",
    out: Path,
    model: str | None = None,
    dtype: str | None = None,
    batch_size: int | None = None,
    optimize: str | None = None,
    any_base: bool = False,
    sources: Sources = SHIPPED,
) -> "BackdoorPlan":
    """Return the plan that the options ask for.

    Raises:
        ValueError: One line, for the first option that cannot be.
    """
    from unlearncanvas.backdoors.plan import BackdoorPlan, Knowledge
    from unlearncanvas.backdoors.poison import as_attack
    from unlearncanvas.backdoors.protocol import load_backdoor_protocol

    whole = load_backdoor_protocol(protocol)
    grid = drawing_as_asked(
        whole.grid,
        device,
        dtype=dtype,
        batch_size=batch_size,
        optimizations=split(optimize, "--optimize"),
    )
    whole = whole.model_copy(update={"grid": grid})
    what = choose("knowledge", "exact" if knowledge is None else knowledge, get_args(Knowledge))
    share = 1.0 if known is None else known
    if not 0 < share <= 1:
        raise ValueError(f"--known takes a share in (0, 1], got {known}")
    name = whole.default_tier if tier is None else tier
    rules = whole.for_tier(name)
    if attacks:
        rules = rules.model_copy(update={"attacks": tuple(dict.fromkeys(attacks))})
    preset, overrides = rules.grid.preset, parse_overrides(settings)
    configured = [load_eraser(attack, preset=preset, kind="attacks") for attack in rules.attacks]
    for attack in configured:
        as_attack(attack)
    return BackdoorPlan(
        protocol=rules,
        whole=whole,
        model=grid.model if model is None else model,
        tier="custom" if attacks else name,
        attacks=tuple(configured),
        erasers=tuple(
            load_eraser(eraser, preset=preset, overrides=overrides)
            for eraser in dict.fromkeys(erasers)
        ),
        known=share,
        knowledge="exact" if what == "exact" else "neighbour",
        device=device,
        out=out,
        any_base=any_base,
        sources=sources,
    )


def preview(plan: "BackdoorPlan", console: Console) -> None:
    """Print what a plan would do: images, UFE, and the time on this machine."""
    from unlearncanvas.base_model import load_base
    from unlearncanvas.preview import seconds_per_image
    from unlearncanvas.terminal import silence_libraries
    from unlearncanvas.tuning import tuned

    silence_libraries()
    rules = plan.protocol.grid
    pipe = tuned(load_base(plan.model, device=plan.device), rules.sampler)
    per_image = seconds_per_image(pipe, rules, plan.protocol.first_seed)
    guided = 2 if rules.sampler.guidance_scale > 1 else 1
    seconds = plan.num_images() * per_image
    for kind, configured in (("inject", plan.attacks), ("erase", plan.erasers)):
        for item in configured:
            work = item.eraser.planned_ufe()
            times = 1 if kind == "inject" else len(plan.attacks)
            passes = rules.sampler.num_inference_steps * guided
            seconds += (work or 0) * times * per_image / passes
            ufe = "unknown" if work is None else f"{work:,}"
            console.print(f"{kind:6}  {item.name:20} {times:3} x UFE {ufe}")
    console.print(
        f"{plan.num_images():,} images at {1000 * per_image:.0f} ms: about {seconds / 60:.1f} "
        f"minutes here, if nothing is there yet; protocol {plan.protocol.name} "
        f"{plan.whole.digest[:12]}",
        soft_wrap=True,
    )


def sit(plan: "BackdoorPlan", console: Console, *, tracker: "Tracker | None" = None) -> None:
    """Run a plan and show what came out; a tracker is told as it goes."""
    from unlearncanvas.backdoors.exam import BackdoorExam
    from unlearncanvas.backdoors.pictures import removal_sheet
    from unlearncanvas.backdoors.results import FILE
    from unlearncanvas.backdoors.tables import tables
    from unlearncanvas.listener import Several
    from unlearncanvas.terminal import bar, say_templates, silence_libraries
    from unlearncanvas.tracking.backdoor_runs import outcome_of, run_of
    from unlearncanvas.tracking.mirror import Mirror

    silence_libraries()
    say_templates(plan.protocol.grid, plan.erasers, console)
    plan.run_folder().mkdir(parents=True, exist_ok=True)
    runs = {eraser.name: run_of(plan, eraser) for eraser in plan.erasers}
    mirror = None if tracker is None else Mirror(tracker, runs)
    with bar(plan.num_images(), console) as progress:
        listener = progress if mirror is None else Several([progress, mirror])
        exam = BackdoorExam(plan=plan, listener=listener)
        results = exam.run()
    pictures = {attack: plan.run_folder() / f"sheet-{attack}.png" for attack in exam.drawn}
    for attack, path in pictures.items():
        title = f"{attack}: removal, same noise in each column"
        removal_sheet(exam.drawn[attack], title=title, path=path)
    if mirror is not None:
        mirror.finish({name: outcome_of(plan, name, results, pictures) for name in runs})
    for table in tables(results):
        console.print(table)
    console.print(f"results   {plan.run_folder() / FILE}", soft_wrap=True)
    for path in pictures.values():
        console.print(f"picture   {path}", soft_wrap=True)
