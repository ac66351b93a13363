"""Command-line options to a plan; a mistake in one is a line that says what was expected."""

import logging
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.core.config import (
    ConfiguredEraser,
    choose,
    load_eraser,
    parse_overrides,
    shortened,
)
from unlearncanvas.core.fields import MAX_SEED
from unlearncanvas.evaluations.grid.plan import CUSTOM, Artifacts, Plan
from unlearncanvas.evaluations.grid.protocol import Protocol, load_protocol
from unlearncanvas.pipelines.sampler import DType, Optimization
from unlearncanvas.results.schema import BASELINES

if TYPE_CHECKING:
    import torch


def split(text: str | None, option: str) -> list[str]:
    """Return a comma-separated option as a list; empty where it is not given.

    Raises:
        ValueError: If one of its items is empty.
    """
    items = [] if text is None else [item.strip() for item in text.split(",")]
    if not all(items):
        raise ValueError(f"{option} takes items separated by commas, got an empty one in {text!r}")
    return items


def integers(text: str, option: str) -> tuple[int, ...]:
    """Return comma-separated integers.

    Raises:
        ValueError: If one is not an integer from 0 to ``MAX_SEED``, or is there twice.
    """
    items, got = split(text, option), shortened(text)
    if not all(re.fullmatch("[+-]?[0-9]+", item) for item in items):
        raise ValueError(f"{option} takes integers separated by commas, got {got}")
    if any(len(item) > len(str(MAX_SEED)) or not 0 <= int(item) <= MAX_SEED for item in items):
        raise ValueError(f"{option} takes integers from 0 to {MAX_SEED} (2^63 - 1), got {got}")
    values = tuple(map(int, items))
    if len(set(values)) != len(values):
        raise ValueError(f"{option} takes different integers >= 0, got {got}")
    return values


def make_plan(
    *,
    erasers: list[str],
    protocol: str,
    model: str | None,
    tier: str | None,
    targets: str | None,
    seeds: str | None,
    erase_seeds: str | None,
    settings: list[str],
    device: str,
    dtype: str | None,
    batch_size: int | None,
    optimize: str | None = None,
    out: Path,
    keep_images: bool,
    artifacts: str = "whole",
    skip_base_check: bool = False,
    sources: Sources = SHIPPED,
) -> Plan:
    """Return the plan that the options ask for.

    Raises:
        ValueError: One line, for the first option that cannot be.
    """
    where = pick_device(device)
    rules = drawing_as_asked(
        load_protocol(protocol),
        where,
        dtype=dtype,
        batch_size=batch_size,
        optimizations=split(optimize, "--optimize"),
    )
    name = rules.default_tier if tier is None else tier
    chosen = rules.tier_targets(name)
    if targets is not None:
        items = split(targets, "--targets")
        chosen = list(dict.fromkeys(rules.find_target(item) for item in items))
    overrides = parse_overrides(settings)
    configured: list[ConfiguredEraser] = [
        load_eraser(item, preset=rules.preset, overrides={} if item in BASELINES else overrides)
        for item in dict.fromkeys([*BASELINES, *erasers])
    ]
    for item in configured:
        if "pairs" in item.eraser.needs:
            raise ValueError(
                f"{item.name} removes backdoors, {rules.name} has none; run it with "
                "--protocol backdoor"
            )
    return Plan(
        protocol=rules if targets is not None else rules.for_tier(name),
        whole=rules,
        model=rules.model if model is None else model,
        erasers=tuple(configured),
        targets=tuple(chosen),
        seeds=rules.tier_seeds(name) if seeds is None else integers(seeds, "--seeds"),
        erase_seeds=(rules.erase_seed,)
        if erase_seeds is None
        else integers(erase_seeds, "--erase-seeds"),
        tier=name if targets is None and seeds is None else CUSTOM,
        device=where,
        out=out,
        keep_images=keep_images,
        artifacts=checked_artifacts(artifacts),
        skip_base_check=skip_base_check,
        sources=sources,
        part=name if targets is None else None,
    )


def drawing_as_asked(
    rules: Protocol,
    device: "torch.device",
    *,
    dtype: str | None,
    batch_size: int | None,
    optimizations: Sequence[str] = (),
) -> Protocol:
    """Return the protocol that draws as asked for, in a precision that can be had.

    Raises:
        ValueError: If an optimization is not known, or cannot be had here.
    """
    chosen = runnable_dtype(rules.sampler.dtype, device) if dtype is None else dtype
    changes: dict[str, object] = {"dtype": choose("dtype", chosen, get_args(DType))}
    if batch_size is not None:
        changes |= {"batch_size": batch_size}
    if optimizations:
        changes |= {"optimizations": checked_optimizations(optimizations)}
    sampler = rules.sampler.model_dump() | changes
    return Protocol.model_validate(rules.model_dump() | {"sampler": sampler})


def checked_optimizations(names: Sequence[str]) -> tuple[str, ...]:
    """Return the optimizations of those names.

    Raises:
        ValueError: If one is not known, or cannot be had here.
    """
    chosen = tuple(choose("optimization", name, get_args(Optimization)) for name in names)
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"--optimize takes different names, got {', '.join(chosen)}")
    if "compile" in chosen and not any(
        map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))
    ):
        raise ValueError("torch.compile needs a C++ compiler: install g++, or leave compile out")
    return chosen


def read_batch_size(
    text: str | None, protocol: str, model: str | None, device: "torch.device", dtype: str | None
) -> int | None:
    """Return what ``--batch-size`` asks for; with ``auto`` it is found out by drawing.

    Raises:
        ValueError: If it is neither a number nor ``auto``, or there is no GPU to fill.
    """
    if text is None:
        return None
    if re.fullmatch("[1-9][0-9]{0,5}", text):
        return int(text)
    if text != "auto":
        raise ValueError(
            f"--batch-size takes an integer >= 1 or auto, up to 999999, got {shortened(text)}"
        )
    if device.type != "cuda":
        raise ValueError(
            "--batch-size auto fills a GPU's memory, and this runs on a processor: leave it out"
        )
    import torch

    from unlearncanvas.engine.batch_size import largest_batch
    from unlearncanvas.evaluations.backdoor.protocol import is_backdoor, load_backdoor_protocol
    from unlearncanvas.pipelines.base_model import load_base

    found = load_backdoor_protocol(protocol).grid if is_backdoor(protocol) else None
    rules = drawing_as_asked(found or load_protocol(protocol), device, dtype=dtype, batch_size=None)
    where = rules.model if model is None else model
    pipe = load_base(where, device=device, dtype=getattr(torch, rules.sampler.dtype))
    chosen = largest_batch(pipe, rules)
    logging.getLogger(__name__).warning(
        "drawing %d images together; say --batch-size %d to have the same digits again",
        chosen,
        chosen,
    )
    return chosen


def checked_artifacts(name: str) -> Artifacts:
    """Return what ``--artifacts`` asks for.

    Raises:
        ValueError: If it is none of the choices.
    """
    choices: dict[str, Artifacts] = {"whole": "whole", "half": "half", "dropped": "dropped"}
    return choices[choose("--artifacts", name, choices)]


def pick_device(name: str) -> "torch.device":
    """Return the device of that name; ``auto`` is what accelerate finds, or the rank's own GPU."""
    import torch
    from accelerate import PartialState

    kind, colon, index = name.partition(":")
    choose("device", kind, ["auto", "cpu", "cuda", "mps"])
    if colon and (kind != "cuda" or not re.fullmatch("[0-9]{1,3}", index)):
        raise ValueError(f"--device takes auto, cpu, mps, cuda or cuda:1, got {name!r}")
    if name == "auto" and "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    if name == "auto":
        return PartialState().device
    usable = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }[kind]
    if int(index or 0) >= usable:
        found = f"{usable} {kind.upper()} devices" if usable else f"no usable {kind.upper()} device"
        raise ValueError(f"--device {name}: this machine has {found}; use cpu")
    return torch.device(name)


def runnable_dtype(dtype: str, device: "torch.device") -> str:
    """Return a precision that the device computes in: a processor has no float16 worth the name.

    Another precision is another protocol digest, and in every record.
    """
    import torch

    if device.type != "cpu" or dtype == "float32":
        return dtype
    chosen = "bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32"
    if chosen != dtype:
        logging.getLogger(__name__).warning("drawing in %s: no %s here", chosen, dtype)
    return chosen
