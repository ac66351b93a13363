"""Resolve options of a run that every evaluation has: sampler, device, erasers, sources."""

import logging
import os
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from unlearncanvas.canvases.sources import Sources
from unlearncanvas.core.registry import choose
from unlearncanvas.engine.grid import Grid
from unlearncanvas.pipelines.methods import ConfiguredEraser, load_eraser, method_name
from unlearncanvas.pipelines.sampler import DType, Optimization, Sampler
from unlearncanvas.results.run_config import DEVICE, OptionError, RunConfig

if TYPE_CHECKING:
    import torch

G = TypeVar("G", bound=Grid)


def split(text: str | None, option: str) -> list[str]:
    """Return a comma-separated option as a list; empty where it is not given.

    Raises:
        ValueError: If one of its items is empty.
    """
    items = [] if text is None else [item.strip() for item in text.split(",")]
    if not all(items):
        raise ValueError(f"{option} takes items separated by commas, got an empty one in {text!r}")
    return items


def common_fields(config: RunConfig, grid: Grid, *, tier: str) -> dict[str, Any]:
    """Return the fields that every evaluation has.

    Args:
        config: Options of the run.
        grid: With the sampler as it is used.
        tier: Name of the tier, as results store it.
    """
    return {
        "model": config.model or grid.model,
        "device": pick_device(config.device),
        "out": config.out,
        "keep_images": config.keep_images,
        "artifacts": config.artifacts,
        "skip_base_check": config.skip_base_check,
        "sources": sources_of(config),
        "config": resolved(config, grid.sampler, tier=tier).model_dump(mode="json"),
    }


def refuse(config: RunConfig, names: Collection[str], reason: str) -> None:
    """Raise OptionError for options that an evaluation does not have.

    Raises:
        OptionError: If one of them is not at its default.
    """
    for name in names:
        if getattr(config, name) != RunConfig.model_fields[name].default:
            raise OptionError(name, f"{reason}; leave it out")


def sources_of(config: RunConfig) -> Sources:
    """Return the places of files that the package does not ship."""
    return Sources(detectors=config.detectors, dataset=config.dataset, inception=config.inception)


def resolved(config: RunConfig, sampler: Sampler, *, tier: str) -> RunConfig:
    """Return the options as results store them, with ``auto`` replaced by its value."""
    found: dict[str, object] = {"tier": tier, "dtype": sampler.dtype}
    if config.batch_size == "auto":
        found["batch_size"] = sampler.batch_size
    return config.computed(**found)


def load_erasers(
    names: Sequence[str], settings: Mapping[str, Any], preset: str | None
) -> list[ConfiguredEraser]:
    """Return erasers with the settings that reach each: ``lr`` those that have it, ``esd.lr`` one.

    Raises:
        ValueError: If a setting reaches none.
    """
    labels, shared = list(map(method_name, names)), {}
    own: dict[str, dict[str, Any]] = {label: {} for label in labels}
    for key, value in settings.items():
        eraser, dot, name = key.rpartition(".")
        if dot:
            own[choose("eraser of this run", eraser, labels)][name] = value
        else:
            shared[key] = value
    found = [
        load_eraser(name, preset=preset, shared=shared, overrides=own[label])
        for label, name in zip(labels, names, strict=True)
    ]
    known = dict.fromkeys(name for item in found for name in item.settings)
    for key in shared:
        kind = "eraser" if len(labels) == 1 else "erasers"
        choose(f"setting of {kind} {', '.join(labels)}", key, known)
    return found


def drawing_of(config: RunConfig, rules: G) -> G:
    """Return the protocol with the sampler of a run; ``auto`` is measured by drawing.

    Raises:
        ValueError: If the machine cannot do so.
    """
    device, size = pick_device(config.device), config.batch_size
    drawn = drawing_as_asked(
        rules, device, dtype=config.dtype, batch_size=None, optimizations=config.optimize
    )
    if size == "auto":
        size = fitting_batch_size(drawn, config.model or rules.model, device)
    return drawing_as_asked(drawn, device, dtype=drawn.sampler.dtype, batch_size=size)


def drawing_as_asked(
    rules: G,
    device: "torch.device",
    *,
    dtype: str | None,
    batch_size: int | None,
    optimizations: Sequence[str] = (),
) -> G:
    """Return the protocol with the sampler that the options give, in a supported precision.

    Raises:
        ValueError: If an optimization is unknown or unavailable on this machine.
    """
    chosen = runnable_dtype(rules.sampler.dtype, device) if dtype is None else dtype
    changes: dict[str, object] = {"dtype": choose("dtype", chosen, get_args(DType))}
    if batch_size is not None:
        changes |= {"batch_size": batch_size}
    if optimizations:
        changes |= {"optimizations": checked_optimizations(optimizations)}
    sampler = rules.sampler.model_dump() | changes
    return type(rules).model_validate(rules.model_dump() | {"sampler": sampler})


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


def fitting_batch_size(rules: Grid, model: str, device: "torch.device") -> int:
    """Return the largest batch that a GPU can draw, measured by drawing.

    Raises:
        OptionError: If there is no GPU to fill.
    """
    if device.type != "cuda":
        raise OptionError(
            "batch_size", "auto fills a GPU's memory, and this runs on a processor: leave it out"
        )
    import torch

    from unlearncanvas.engine.batch_size import largest_batch
    from unlearncanvas.pipelines.base_model import load_base

    pipe = load_base(model, device=device, dtype=getattr(torch, rules.sampler.dtype))
    chosen = largest_batch(pipe, rules)
    logging.getLogger(__name__).warning(
        "drawing %d images together; say --batch-size %d to have the same digits again",
        chosen,
        chosen,
    )
    return chosen


def pick_device(name: str) -> "torch.device":
    """Return the device of that name; ``auto`` is what accelerate finds, or the rank's own GPU."""
    import torch
    from accelerate import PartialState

    kind, _, index = name.partition(":")
    if not re.fullmatch(DEVICE, name):
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
    """Return a precision that the device supports: on a CPU bfloat16 or float32.

    Another precision is another protocol digest, and in every record.
    """
    import torch

    if device.type != "cpu" or dtype == "float32":
        return dtype
    chosen = "bfloat16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "float32"
    if chosen != dtype:
        logging.getLogger(__name__).warning("drawing in %s: no %s here", chosen, dtype)
    return chosen
