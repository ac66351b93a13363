"""Search an eraser's settings for the mini canvas.

    unlearncanvas tune ca --trials 8

Objective: for styles and for objects the harmonic mean of UA, IRA and CRA, and of both their mean;
a setting that forgets nothing or ruins everything scores 0. Budget: ``--trials`` settings, the
first of them the config's own. Where to search stands in the config, under ``tune``. Everything
runs on the tuning protocol: reserved targets, other seeds, other detectors.

The search is seeded and finished trials are kept as runs, so that the same command repeats a search
without working it out again.
"""

import json
import math
from pathlib import Path
from statistics import harmonic_mean, mean
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from unlearncanvas.core.config import choose, find_config, load_eraser, read_yaml

if TYPE_CHECKING:
    import optuna

    from unlearncanvas.results.schema import Row

PARTS = ("unlearning_accuracy", "in_domain_retain_accuracy", "cross_domain_retain_accuracy")
console = Console(emoji=False)


def tune(
    eraser: Annotated[str, typer.Argument(help="Registered name or a YAML file.")],
    trials: Annotated[int, typer.Option(min=1, help="Settings to try.")] = 8,
    protocol: Annotated[str, typer.Option(help="Where to search.")] = "mini-tune",
    tier: Annotated[str, typer.Option(help="Tier of the protocol.")] = "search",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the search.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    out: Annotated[Path, typer.Option(help="Root of the run folders.")] = Path("runs"),
) -> None:
    """Search an eraser's settings on the reserved targets (optuna, TPE)."""
    import optuna

    from unlearncanvas.cli.sweep import show, try_settings
    from unlearncanvas.pipelines.quiet import silence_libraries

    space = search_space(eraser)
    silence_libraries()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=4)
    )
    first = load_eraser(eraser, preset="mini").settings
    study.enqueue_trial({name: first[name] for name in space})
    rows: dict[str, list[Row]] = {}

    def objective(trial: "optuna.Trial") -> float:
        settings = [f"{name}={suggest(trial, name, axis)}" for name, axis in space.items()]
        tried = try_settings(eraser, settings, protocol=protocol, tier=tier, device=device, out=out)
        rows.setdefault("none", tried.base)
        rows[" ".join(settings)] = tried.rows
        value = balance(tried.rows)
        console.print(f"{value:5.1f}  {' '.join(settings)}", soft_wrap=True, markup=False)
        return value

    study.optimize(objective, n_trials=trials)
    show(rows)
    _write(study, rows, name=Path(eraser).stem, protocol=Path(protocol).stem, folder=out / "tune")


def search_space(eraser: str) -> dict[str, dict[str, Any]]:
    """Return the ``tune`` part of an eraser's config: a range or choices for each setting.

    Raises:
        ValueError: If the config has none, or it is not of that form.
    """
    if ":" in eraser:
        raise ValueError(
            f"tune takes a registered name or a YAML file, got {eraser!r}: write a file with "
            f"'class: {eraser.replace(':', '.')}' and with settings to search under 'tune'"
        )
    path = find_config("erasers", eraser)
    space = read_yaml(path).get("tune")
    if not space:
        raise ValueError(f"{path} says nothing under 'tune'; name settings with low and high there")
    known = load_eraser(eraser, preset="mini").settings
    if not isinstance(space, dict):
        raise ValueError(f"{path}: tune must hold keys and values, got {space!r}")
    for name, axis in space.items():
        choose(f"setting of {path.stem}", name, known)
        if not _is_axis(axis):
            raise ValueError(
                f"{path}: tune: {name} takes choices: [..], or low < high (with log: true, 0 < "
                f"low), got {axis!r}"
            )
    return space


def _is_axis(axis: Any) -> bool:
    """Whether this is a list of choices, or a range of finite numbers."""
    if not isinstance(axis, dict):
        return False
    if set(axis) == {"choices"}:
        return isinstance(axis["choices"], list) and bool(axis["choices"])
    ends = [axis[key] for key in ("low", "high") if type(axis.get(key)) in (int, float)]
    if len(ends) < 2 or set(axis) - {"low", "high", "log"}:
        return False
    return bool((0 if axis.get("log") else -math.inf) < ends[0] < ends[1] < math.inf)


def suggest(trial: "optuna.Trial", name: str, axis: dict[str, Any]) -> float | int | str:
    """Return a trial's value: one of ``choices``, or between ``low`` and ``high`` (``log``)."""
    if "choices" in axis:
        chosen: float | int | str = trial.suggest_categorical(name, axis["choices"])
        return chosen
    value = trial.suggest_float(name, axis["low"], axis["high"], log=axis.get("log", False))
    return float(f"{value:.2g}")


def balance(rows: "list[Row]") -> float:
    """Return the objective: the harmonic mean of UA, IRA and CRA, mean of styles and objects."""
    return mean(harmonic_mean([row.scores[part].value for part in PARTS]) for row in rows)


def _write(
    study: "optuna.Study",
    rows: "dict[str, list[Row]]",
    *,
    name: str,
    protocol: str,
    folder: Path,
) -> None:
    from unlearncanvas.cli.sweep import plot
    from unlearncanvas.core.files import write_text

    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "best": study.best_params,
        "objective": study.best_value,
        "trials": [{"params": trial.params, "objective": trial.value} for trial in study.trials],
        "rows": {label: [row.model_dump() for row in found] for label, found in rows.items()},
    }
    write_text(folder / f"{name}-{protocol}.json", json.dumps(data, indent=2))
    plot(rows, title=f"{name} on {protocol}", path=folder / f"{name}-{protocol}.png")
    console.print(f"best {study.best_value:.1f}: {study.best_params}", soft_wrap=True, markup=False)
    console.print(f"plot      {folder / f'{name}-{protocol}.png'}", markup=False)
