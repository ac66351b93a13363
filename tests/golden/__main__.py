"""Golden numbers: what this checkout computes, and what it is held to.

The numbers: the first steps of every eraser and attack on a tiny pipeline (``esd``, ``ca-object``,
``salun-as-released``, ...), a small run of both evaluations (``grid``, ``backdoor``), and the
scores of two old bundles from their predictions (``historic-none``, ``historic-uce``). CI holds
every commit to the stored ones, within the rounding of machines (tests/end_to_end/test_golden.py).

    python -m tests.golden compare ../other         every number of two checkouts, bit for bit
    python -m tests.golden compare ../other 'esd*'  some of them
    python -m tests.golden update shs-trimmed-full  a number that had to change: prints old -> new;
                                                    raise ``version`` of the method's class first
    python -m tests.golden update 'historic-*' --because 'intervals over cells and seeds'

NAMES may hold * and ?. Whoever changes a number on purpose updates it in the same commit and lists
it under "Results changed" in CHANGELOG.md; what is printed is what to list.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.golden.store import (
    ENTRIES,
    EXACT,
    chosen,
    differences,
    rounded,
    same_key,
    store,
    stored,
)

SHOWN = 12
app = typer.Typer(add_completion=False, rich_markup_mode=None, help=__doc__)
Names = Annotated[list[str] | None, typer.Argument(help="Entries; all without any.")]


@app.command()
def compute(
    names: Names = None,
    out: Annotated[Path | None, typer.Option(help="File; the terminal without one.")] = None,
) -> None:
    """Write what this checkout computes as JSON: entry to key to value. Takes a minute."""
    values = {}
    for name in chosen(names or []):
        typer.echo(name, err=True)
        values[name] = ENTRIES[name]()
    text = json.dumps(values, ensure_ascii=False, indent=1)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text)


@app.command()
def compare(
    other: Annotated[Path, typer.Argument(help="Root of another checkout.", exists=True)],
    names: Names = None,
) -> None:
    """Compute in this checkout and in another, each with its own code; print what differs.

    Bit for bit, digests of tensors and pixels too. Each uses its own .venv, or this Python. Exit
    code 1 if anything differs.
    """
    here, there = (_computed_in(root, names or []) for root in (Path(), other))
    count = 0
    for entry in [*here, *(name for name in there if name not in here)]:
        one, two = here.get(entry, {}), there.get(entry, {})
        keys = [key for key in [*one, *(key for key in two if key not in one)]
                if key not in one or key not in two or one[key] != two[key]]  # fmt: skip
        count += len(keys)
        _print(entry, [(key, one.get(key, "-"), two.get(key, "-")) for key in keys])
    total = sum(map(len, here.values()))
    typer.echo(f"{len(here)} entries, {total} values here; {count} differ (here -> {other})")
    raise typer.Exit(bool(count))


@app.command()
def update(
    names: Names = None,
    because: Annotated[str, typer.Option(help="Why historic scores changed.")] = "",
    *,
    same_version: Annotated[
        bool, typer.Option(help="The settings, the task or the pipeline changed, not the method.")
    ] = False,
) -> None:
    """Store what this checkout computes where it differs from what is stored; print old -> new.

    A method whose numbers changed is refused until its version is raised.
    """
    total = 0
    for name in chosen(names or []):
        held, found = stored(name), ENTRIES[name]()
        keys = differences(name, held, found)
        _print(name, [(key, held.get(key, "-"), rounded(found.get(key, "-"))) for key in keys])
        if same_key(held, found, keys) and not same_version:
            raise ValueError(
                f"{name}: numbers changed and version {held['version']} did not; raise version in "
                "the class, or say --same-version if its settings, task or pipeline changed"
            )
        if keys:
            store(name, found, because)
        total += len(keys)
    typer.echo(f"{total} values updated (old -> new)")


def _computed_in(root, names):
    """Return what a checkout computes with its own code and Python."""
    own = root / ".venv" / "bin" / "python"
    python = own.absolute() if own.exists() else sys.executable
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "values.json"
        # one thread: sums are in one order, however many cores are free
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [python, "-m", "tests.golden", "compute", *names, "--out", out],
            cwd=root, env=environment, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ValueError(f"{root}: python -m tests.golden compute ended with {done.returncode}")
        return json.loads(out.read_text())


def _print(entry, rows):
    """Print the first rows of an entry, digests last, and how many more there are."""
    rows = sorted(rows, key=lambda row: row[0].endswith(EXACT))
    for key, one, two in rows[:SHOWN]:
        typer.echo(f"{entry}  {key}  {_short(one)} -> {_short(two)}")
    if len(rows) > SHOWN:
        typer.echo(f"{entry}  ... {len(rows) - SHOWN} more")


def _short(value):
    return value[:12] if isinstance(value, str) and len(value) == 64 else value


def main() -> None:
    """Run a command; a wrong name is one line and exit code 2."""
    try:
        app()
    except ValueError as exc:
        typer.echo(f"error: {exc}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
