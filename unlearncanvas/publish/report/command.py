"""The command that makes numbers again; it parses into the evaluation that made them."""

import json
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

from unlearncanvas.core.registry import names
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.engine.run_flags import to_flags
from unlearncanvas.pipelines.methods import load_eraser, method_name
from unlearncanvas.pipelines.sampler import DType
from unlearncanvas.results.cells import BASELINES
from unlearncanvas.results.run_config import RunConfig
from unlearncanvas.results.schema import Results, Row

BENCH = ("python", "-m", "unlearncanvas.bench")


def command_of(config: RunConfig) -> str:
    """Return the command of a run."""
    return shlex.join([*BENCH, *to_flags(config)])


def command_of_rows(results: Results, label: str, rows: Sequence[Row]) -> str:
    """Return the command that makes the rows of one label again; empty if it is not known."""
    config = row_config(results, label, rows)
    return "" if config is None else command_of(config)


def command_of_run(results: Results) -> str:
    """Return the command that makes all tested rows of a run again; empty if it is not known."""
    config = run_config(results)
    return "" if config is None else command_of(config)


def row_config(results: Results, label: str, rows: Sequence[Row]) -> RunConfig | None:
    """Return the options that make the rows of one label again.

    None without the eraser's class, and where the images were generated elsewhere. Files are named
    without their folders, for a reader who has them in the working folder.

    Args:
        results: The run.
        label: Of the rows.
        rows: None of them where the file holds means only.
    """
    eraser, _, seed = label.partition(" seed ")
    if rows:
        eraser = rows[0].eraser
    named = eraser_option(results, eraser)
    if named is None or results.config is None:
        return None
    found = {**_stored(results), "erasers": [named]}
    if eraser in BASELINES:
        found.pop("erase_seeds", None)
    else:
        found |= {"erase_seeds": [int(seed)]} if seed else {}
        found["settings"] = _settings(results, named, rows[0]) if rows else {}
    return RunConfig.model_validate(_without_usual(found, results))


def run_config(results: Results) -> RunConfig | None:
    """Return the options that make all tested rows of a run again, each with its own settings."""
    if results.config is None:
        return None
    tested = {row.eraser: row for row in results.rows if row.role == "tested"}
    known = {eraser_option(results, eraser): row for eraser, row in tested.items()}
    settings = {
        f"{method_name(named)}.{key}": value
        for named, row in known.items()
        if named is not None
        for key, value in _settings(results, named, row).items()
    }
    erasers = [named for named in known if named is not None]
    if not erasers:
        return None
    found = {**_stored(results), "erasers": erasers, "settings": settings}
    return RunConfig.model_validate(_without_usual(found, results))


def eraser_option(results: Results, eraser: str) -> str | None:
    """Return how an eraser is named on the command line; None where that is not known."""
    if eraser in names("erasers"):
        return eraser
    stored = (results.config or {}).get("erasers", ())
    return {method_name(name): _file_name(name) for name in stored}.get(eraser)


def changed_settings(results: Results, row: Row) -> dict[str, Any]:
    """Return the settings of a registered eraser that are not the protocol's own."""
    if row.eraser in BASELINES or row.eraser not in names("erasers"):
        return {}
    own = _usual(results.protocol)
    preset = None if own is None else own.grid.preset
    settings = load_eraser(row.eraser, preset=preset).settings
    usual = json.loads(json.dumps(settings))  # as files have it
    return {key: value for key, value in row.settings.items() if usual.get(key) != value}


def _settings(results: Results, named: str, row: Row) -> dict[str, Any]:
    """The settings to give: those that differ, or all where the usual ones are not known."""
    known = _usual(results.protocol) is not None and named in names("erasers")
    return changed_settings(results, row) if known else row.settings


def _stored(results: Results) -> dict[str, Any]:
    """The options that a run stores, and its device."""
    stored = results.config or {}
    found = {"device": results.environment["device"], **stored}
    found["protocol"] = _file_name(stored.get("protocol", "mini"))
    if "targets" in stored:
        found["targets"] = [_file_name(name) for name in stored["targets"]]
    return {key: value for key, value in found.items() if key not in ("erasers", "settings")}


def _without_usual(found: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """Options without those that are a registered protocol's own."""
    own = _usual(results.protocol)
    if own is None:
        return dict(found)
    found = {"dtype": _dtype_of(results), **found}
    usual = {
        "model": own.model,
        "tier": own.tier,
        "dtype": own.grid.sampler.dtype,
        "batch_size": own.grid.sampler.batch_size,
    }
    return {key: value for key, value in found.items() if key not in usual or value != usual[key]}


def _dtype_of(results: Results) -> str | None:
    """The precision of a run that did not store it, by the digest of its protocol."""
    for dtype in get_args(DType):
        own = _usual(results.protocol, dtype)
        if own is not None and own.digest == results.protocol_digest:
            return str(dtype)
    return None


@cache
def _usual(protocol: str, dtype: DType | None = None) -> Evaluation | None:
    """A registered protocol's evaluation without other options; None for a file of the user's."""
    if protocol not in names("protocols"):
        return None
    config = RunConfig(erasers=("none",), protocol=protocol, dtype=dtype, device="cpu")
    return evaluation_of(config)


def _file_name(name: str) -> str:
    """A name of the registry or of a class as it is, of a file without its folder."""
    return Path(name).name if name.endswith((".yaml", ".yml")) else name
