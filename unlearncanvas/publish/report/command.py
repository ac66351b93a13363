"""The command that makes numbers again; it parses into the plan that made them."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from unlearncanvas.core.registry import names
from unlearncanvas.engine.run_flags import to_flags
from unlearncanvas.evaluations.backdoor.results import BackdoorResults
from unlearncanvas.evaluations.grid.protocol import GridProtocol, load_protocol
from unlearncanvas.pipelines.methods import load_eraser, method_name
from unlearncanvas.pipelines.sampler import DType
from unlearncanvas.results.run_config import RunConfig
from unlearncanvas.results.schema import BASELINES, Asked, Result, RunResults

BENCH = ("python", "-m", "unlearncanvas.bench")


def command_of(config: RunConfig) -> str:
    """Return the command of a run."""
    return shlex.join([*BENCH, *to_flags(config)])


def regenerate(run: RunResults, label: str, result: Result | None) -> str:
    """Return the command for one row of a run; empty where the eraser's class is not known."""
    config = row_config(run, label, result)
    return "" if config is None else command_of(config)


def row_config(run: RunResults, label: str, result: Result | None) -> RunConfig | None:
    """Return the options that make one row of a run again; None without the eraser's class.

    Files are named without their folders, for a reader who has them in the working folder.

    Args:
        run: The run.
        label: Of the row: the eraser, with the erase seed where there are several.
        result: Of any of its targets; None where only means are kept.
    """
    eraser, _, seed = label.partition(" seed ")
    named, rules = eraser_option(run, eraser), rules_of(run.protocol)
    if named is None:
        return None
    found = {**grid_options(run), "erasers": [named]}
    if seed:
        found["erase_seeds"] = [int(seed)]
    if eraser in BASELINES:
        found.pop("erase_seeds", None)
    elif result is not None:
        own = rules is not None and named in names("erasers")
        found["settings"] = changed(eraser, result, rules) if own else result.settings
    return RunConfig.model_validate(without_usual(found, rules))


def grid_options(run: RunResults) -> dict[str, Any]:
    """Return the options of a run, from before version 0.7 too, but for erasers and settings."""
    if run.config is not None:
        return stored_options(run, run.config)
    rules = rules_of(run.protocol)
    found = older_options(run, run.asked)
    if run.asked is not None:
        found |= {"artifacts": run.asked.artifacts}
        found |= {"erase_seeds": run.asked.erase_seeds} if run.asked.erase_seeds else {}
    elif rules is not None:
        found |= {"dtype": _dtype_of(run.protocol_digest, rules)}
    if rules is not None and run.tier in rules.tiers:
        return {**found, "tier": run.tier}
    found["seeds"] = run.seeds
    if run.asked is not None and run.asked.tier is not None:
        return {**found, "tier": run.asked.tier}
    targets = dict.fromkeys(target for row in run.rows for target in row.targets)
    return {**found, "targets": [target.partition(":")[2] for target in targets]}


def stored_options(run: RunResults | BackdoorResults, config: RunConfig) -> dict[str, Any]:
    """Return the options that a run stores, but for erasers and settings, and its device."""
    found = {name: getattr(config, name) for name in config.model_fields_set}
    found["protocol"] = file_name(config.protocol)
    found["device"] = run.environment["device"]
    return {key: value for key, value in found.items() if key not in ("erasers", "settings")}


def older_options(run: RunResults | BackdoorResults, asked: Asked | None) -> dict[str, Any]:
    """Return the options that every kind of run held before version 0.7."""
    known = run.protocol in names("protocols")
    found: dict[str, Any] = {
        "protocol": run.protocol if known else f"{run.protocol}.yaml",
        "model": run.model,
    }
    if asked is None:
        return found
    return found | {
        "device": run.environment["device"],
        "dtype": asked.dtype,
        "batch_size": asked.batch_size,
        "optimize": asked.optimizations,
        "skip_base_check": asked.skip_base_check,
    }


def without_usual(found: Mapping[str, Any], rules: GridProtocol | None) -> dict[str, Any]:
    """Return options without those that are a registered protocol's own."""
    usual: dict[str, Any] = {}
    if rules is not None:
        usual = {
            "model": rules.model,
            "tier": rules.default_tier,
            "erase_seeds": (rules.erase_seed,),
            "dtype": rules.sampler.dtype,
            "batch_size": rules.sampler.batch_size,
        }
    return {key: value for key, value in found.items() if key not in usual or value != usual[key]}


def eraser_option(run: RunResults | BackdoorResults, eraser: str) -> str | None:
    """Return how an eraser is named on the command line; None where that is not known."""
    if eraser in names("erasers"):
        return eraser
    if run.config is not None:
        return {method_name(name): file_name(name) for name in run.config.erasers}.get(eraser)
    dotted = run.asked.classes.get(eraser) if run.asked else None
    return ":".join(dotted.rsplit(".", 1)) if dotted else None


def file_name(name: str) -> str:
    """Return a name of the registry or of a class as it is, of a file without its folder."""
    return Path(name).name if name.endswith((".yaml", ".yml")) else name


def rules_of(name: str) -> GridProtocol | None:
    """Return a registered protocol; None for one that is a file of the user's."""
    return load_protocol(name) if name in names("protocols") else None


def _dtype_of(digest: str, rules: GridProtocol) -> str | None:
    """The precision of a run that did not keep it, by the digest of its protocol."""
    for dtype in get_args(DType):
        sampler = rules.sampler.model_copy(update={"dtype": dtype})
        if rules.model_copy(update={"sampler": sampler}).digest == digest:
            return str(dtype)
    return None


def changed(eraser: str, result: Result, rules: GridProtocol | None) -> dict[str, object]:
    """Return the settings of a result that are not the protocol's own."""
    if eraser in BASELINES:
        return {}
    return changed_settings(eraser, result.settings, rules.preset if rules else None)


def changed_settings(
    eraser: str, settings: Mapping[str, object], preset: str | None
) -> dict[str, object]:
    """Return the settings of a registered eraser that are not its preset's; of another, none."""
    if eraser not in names("erasers"):
        return {}
    usual = json.loads(json.dumps(load_eraser(eraser, preset=preset).settings))  # as files have it
    return {key: value for key, value in settings.items() if usual.get(key) != value}
