"""Search an eraser's settings for the mini canvas.

    unlearncanvas tune ca --trials 8

Objective: for styles and for objects the harmonic mean of UA, UA over forms, IRA and CRA, and of
both their mean; for backdoors of removal, recovery and the clean grid, mean over attacks. A setting
that forgets nothing or retains nothing scores 0. Budget: ``--trials`` settings, the first of them
the config's own. Where to search stands in the config, under ``tune``. Everything runs on the
tuning protocol: reserved targets, other seeds, other detectors, synonyms and sentences that no
reported score asks with.

The search is seeded and finished trials are kept as runs, so that the same command repeats a search
and skips its finished trials.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import harmonic_mean, mean
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console

from unlearncanvas.cli import completion
from unlearncanvas.core.method_config import Axis, Choices, EraserConfig, read_config
from unlearncanvas.core.registry import choose, find_config
from unlearncanvas.pipelines.methods import load_eraser

if TYPE_CHECKING:
    import optuna

    from unlearncanvas.results.export import Table
    from unlearncanvas.results.schema import MeanRow

console = Console(emoji=False)


def tune(
    eraser: Annotated[
        str,
        typer.Argument(
            help="Registered name or a YAML file.", autocompletion=completion.of("erasers")
        ),
    ],
    trials: Annotated[int, typer.Option(min=1, help="Settings to try.")] = 8,
    protocol: Annotated[
        str, typer.Option(help="Where to search.", autocompletion=completion.of("protocols"))
    ] = "mini-tune",
    tier: Annotated[
        str, typer.Option(help="Tier of the protocol.", autocompletion=completion.tiers)
    ] = "search",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the search.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    out: Annotated[Path, typer.Option(help="Root of the run folders.")] = Path("runs"),
) -> None:
    """Search an eraser's settings on the reserved targets (optuna, TPE)."""
    import optuna

    from unlearncanvas.cli.sweep import show, try_settings
    from unlearncanvas.pipelines.quiet import silence_libraries
    from unlearncanvas.results.export import to_terminal

    space = search_space(eraser)
    silence_libraries()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=4)
    )
    first = load_eraser(eraser, preset="mini").settings
    study.enqueue_trial({name: first[name] for name in space})
    rows: dict[str, list[MeanRow]] = {}
    balances: dict[str, Mapping[str, Mapping[str, float]]] = {}

    def objective(trial: "optuna.Trial") -> float:
        settings = [f"{name}={suggest(trial, name, axis)}" for name, axis in space.items()]
        tried = try_settings(eraser, settings, protocol=protocol, tier=tier, device=device, out=out)
        if tried.rows:
            rows.setdefault("none", tried.base)
            rows[" ".join(settings)] = tried.rows
        balances[" ".join(settings)] = tried.balance
        value = weighed(tried.balance)
        console.print(f"{value:5.1f}  {' '.join(settings)}", soft_wrap=True, markup=False)
        return value

    study.optimize(objective, n_trials=trials)
    if rows:
        show(rows)
    else:
        console.print(to_terminal(_table(balances)))
    name = f"{Path(eraser).stem}-{Path(protocol).stem}"
    _write(study, rows, balances, name=name, folder=out / "tune")


def search_space(eraser: str) -> dict[str, Axis]:
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
    space = read_config(EraserConfig, path).tune
    if not space:
        raise ValueError(f"{path} says nothing under 'tune'; name settings with low and high there")
    known = load_eraser(eraser, preset="mini").settings
    for name in space:
        choose(f"setting of {path.stem}", name, known)
    return space


def suggest(trial: "optuna.Trial", name: str, axis: Axis) -> float | int | str:
    """Return a trial's value: one of the choices, or in the range."""
    if isinstance(axis, Choices):
        return cast(float | int | str, trial.suggest_categorical(name, axis.choices))
    return float(f"{trial.suggest_float(name, axis.low, axis.high, log=axis.log):.2g}")


def weighed(balance: "Mapping[str, Mapping[str, float]]") -> float:
    """Return the objective: the mean over groups of the harmonic mean of what is weighed."""
    return mean(harmonic_mean(list(parts.values())) for parts in balance.values())


def _table(balances: "Mapping[str, Mapping[str, Mapping[str, float]]]") -> "Table":
    """The table of an evaluation without means: a line for each setting and group."""
    from unlearncanvas.results.export import Column, Table

    first = next(iter(next(iter(balances.values())).values()))
    return Table(
        title="What was tried",
        columns=[Column("settings", "left"), Column("on", "left"), *map(Column, first)],
        rows=[
            (settings, group, *(f"{value:.1f}" for value in parts.values()))
            for settings, balance in balances.items()
            for group, parts in balance.items()
        ],
    )


def _write(
    study: "optuna.Study",
    rows: "Mapping[str, list[MeanRow]]",
    balances: "Mapping[str, Mapping[str, Mapping[str, float]]]",
    *,
    name: str,
    folder: Path,
) -> None:
    from unlearncanvas.cli.sweep import plot
    from unlearncanvas.core.files import write_text

    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "best": study.best_params,
        "objective": study.best_value,
        "trials": [{"params": trial.params, "objective": trial.value} for trial in study.trials],
        "balances": balances,
        "rows": {label: [row.model_dump() for row in found] for label, found in rows.items()},
    }
    write_text(folder / f"{name}.json", json.dumps(data, indent=2))
    console.print(f"best {study.best_value:.1f}: {study.best_params}", soft_wrap=True, markup=False)
    console.print(f"trials    {folder / f'{name}.json'}", markup=False)
    if rows:
        plot(dict(rows), title=name, path=folder / f"{name}.png")
        console.print(f"plot      {folder / f'{name}.png'}", markup=False)
