"""The command that makes numbers again; it parses into the plan that made them."""

import json
import shlex
from collections.abc import Mapping
from typing import get_args

import yaml

from unlearncanvas.core.config import load_eraser, names
from unlearncanvas.evaluations.backdoor.results import BackdoorResults
from unlearncanvas.evaluations.grid.protocol import Protocol, load_protocol
from unlearncanvas.pipelines.sampler import DType, Sampler
from unlearncanvas.results.schema import BASELINES, Result, RunResults

BENCH = ("python", "-m", "unlearncanvas.bench")


def regenerate(run: RunResults, label: str, result: Result | None) -> str:
    """Return the command for one row of a run; empty where the eraser's class is not known.

    A protocol that is not registered is taken for a YAML file of its name in the working folder.

    Args:
        run: The run.
        label: Of the row: the eraser, with the erase seed where there are several.
        result: Of any of its targets; None where only means are kept.
    """
    eraser, rules = label.split()[0], rules_of(run.protocol)
    named = eraser_option(run, eraser)
    if named is None:
        return ""
    parts = [*BENCH, "--eraser", named]
    if run.protocol != "mini":
        parts += ["--protocol", run.protocol if rules else f"{run.protocol}.yaml"]
    if rules is None or run.model != rules.model:
        parts += ["--model", run.model]
    parts += _part(run, rules)
    if eraser not in BASELINES:
        parts += _erase_seed(run, label, rules)
    parts += drawing_options(run, rules.sampler if rules else None)
    if run.asked is None and rules is not None:
        parts += _dtype_of(run.protocol_digest, rules)
    if run.asked is not None and run.asked.artifacts == "half":
        parts += ["--artifacts", "half"]
    if result is not None and eraser not in BASELINES:
        own = rules is not None and named in names("erasers")
        parts += set_options(changed(eraser, result, rules) if own else result.settings)
    return shlex.join(parts)


def eraser_option(run: RunResults | BackdoorResults, eraser: str) -> str | None:
    """Return how an eraser is named on the command line: its name, or else its class."""
    if eraser in names("erasers"):
        return eraser
    dotted = run.asked.classes.get(eraser) if run.asked else None
    return ":".join(dotted.rsplit(".", 1)) if dotted else None


def drawing_options(run: RunResults | BackdoorResults, usual: Sampler | None) -> list[str]:
    """Return how a run drew, as options, where that is not a protocol's own."""
    asked = run.asked
    if asked is None:
        return []
    parts = ["--device", run.environment["device"]]
    if usual is None or asked.dtype != usual.dtype:
        parts += ["--dtype", asked.dtype]
    if usual is None or asked.batch_size != usual.batch_size:
        parts += ["--batch-size", str(asked.batch_size)]
    if asked.optimizations:
        parts += ["--optimize", ",".join(asked.optimizations)]
    return [*parts, "--skip-base-check"] if asked.skip_base_check else parts


def set_options(settings: Mapping[str, object]) -> list[str]:
    """Return settings as options; values as YAML, on one line."""
    parts = []
    for key, value in settings.items():
        text = yaml.safe_dump([value], default_flow_style=True, width=float("inf")).strip()[1:-1]
        parts += ["--set", f"{key}={text}"]
    return parts


def rules_of(name: str) -> Protocol | None:
    """Return a registered protocol; None for one that somebody wrote for himself."""
    return load_protocol(name) if name in names("protocols") else None


def _erase_seed(run: RunResults, label: str, rules: Protocol | None) -> list[str]:
    """The seed of a row's eraser, where it is not known to be the protocol's."""
    _, *seed = label.split(" seed ")
    if seed:
        return ["--erase-seeds", *seed]
    kept = run.asked.erase_seeds if run.asked else ()
    usual = (rules.erase_seed,) if rules else ()
    return [] if kept in ((), usual) else ["--erase-seeds", ",".join(map(str, kept))]


def _part(run: RunResults, rules: Protocol | None) -> list[str]:
    """The tier, or targets and seeds where it is none of the protocol's."""
    if rules is not None and run.tier in rules.tiers:
        return [] if run.tier == rules.default_tier else ["--tier", run.tier]
    seeds = ["--seeds", ",".join(map(str, run.seeds))]
    if run.asked is not None and run.asked.tier is not None:
        return ["--tier", run.asked.tier, *seeds]
    targets = dict.fromkeys(target for row in run.rows for target in row.targets)
    names_only = ",".join(target.partition(":")[2] for target in targets)
    return ["--targets", names_only, *seeds]


def _dtype_of(digest: str, rules: Protocol) -> list[str]:
    """The precision of a run that did not keep it, by the digest of its protocol."""
    for dtype in get_args(DType):
        sampler = rules.sampler.model_copy(update={"dtype": dtype})
        if rules.model_copy(update={"sampler": sampler}).digest == digest:
            return [] if dtype == rules.sampler.dtype else ["--dtype", dtype]
    return []


def changed(eraser: str, result: Result, rules: Protocol | None) -> dict[str, object]:
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
