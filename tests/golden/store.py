"""What can be computed, what is stored of it, and what counts as the same."""

import json
import math
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from tests.golden import evaluations, historic
from tests.golden.steps import STEPS, first_steps

VALUES = Path(__file__).parent / "values"
ENTRIES = {
    **{name: partial(first_steps, name) for name in STEPS},
    "grid": evaluations.grid,
    "backdoor": evaluations.backdoor,
    **{f"historic-{name}": partial(historic.rescored, name) for name in historic.BUNDLES},
}
"""Name to what computes its values: key to number, text or list of them."""
EXACT = "/sha256"
"""Keys that end so are of one machine: compared between checkouts, not stored."""
CLOSED_FORM = {"uce", "t2ishield-edit", "evil-edit", "noise"}
"""Configs that train nothing; their sketches differed by up to 7e-6 of the norm."""
TIGHT = 1e-4
NORM, PROJECTION, LATENTS = 5e-3, 5e-2, 5e-4
"""Tolerances of a sketch: of its norm, of its projection in norms; absolute for latents.

Between one and two threads, and SSE, AVX2 and AVX-512, norms differed by up to 8e-4 and projections
by up to 1.7e-2 of the norm: where a gradient is all but zero, Adam's sign is a matter of rounding,
and so is which weight SalUn's mask takes. Latents differed by up to 7e-5."""
RUN = 3e-3
"""Relative tolerance of a run's scores; these machines differed by up to 7e-4, no detection did."""


def chosen(patterns):
    """Return the entries that the patterns name; all without any.

    Raises:
        ValueError: If a pattern names none.
    """
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in ENTRIES):
            raise ValueError(
                f"no golden entry is named {pattern!r}; choose from {' '.join(ENTRIES)}"
            )
    return [name for name in ENTRIES if not patterns or any(fnmatch(name, p) for p in patterns)]


def stored(name):
    """Return what an entry is held to."""
    if name.startswith("historic-"):
        return historic.expected(name.removeprefix("historic-"))
    path = VALUES / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def store(name, values, because=""):
    """Hold an entry to these values."""
    if name.startswith("historic-"):
        historic.list_changes(name.removeprefix("historic-"), values, because)
        return
    lines = [
        f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(rounded(value), ensure_ascii=False)}"
        for key, value in values.items()
        if not key.endswith(EXACT)
    ]
    VALUES.mkdir(exist_ok=True)
    (VALUES / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def rounded(value):
    """Return floats with the eight digits that a float32 has."""
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.8g}") if isinstance(value, float) else value


def differences(name, held, found):
    """Return the keys whose values differ by more than the tolerance."""
    held, found = _storable(held), _storable(found)
    return [
        key
        for key in [*held, *(key for key in found if key not in held)]
        if key not in held or key not in found or not _same(name, key, held[key], found[key])
    ]


def same_key(held, found, keys):
    """Whether numbers of a method changed under an unchanged version: its key names both."""
    return bool(set(keys) - {"version"}) and held.get("version", 0) == found.get("version")


def _storable(values):
    return {key: value for key, value in values.items() if not key.endswith(EXACT)}


def _same(name, key, held, found):
    if name.startswith("historic-"):
        return historic.same(key, held, found)
    if key == "latents" or key.startswith("weights/"):
        tight = STEPS[name].config in CLOSED_FORM
        return _same_sketch(
            held,
            found,
            rounding=(TIGHT, TIGHT) if tight else (NORM, PROJECTION),
            floor=LATENTS if key == "latents" else 0.0,
        )
    if isinstance(held, list) and isinstance(found, list):
        return len(held) == len(found) and all(
            _same(name, key, one, two) for one, two in zip(held, found, strict=True)
        )
    if isinstance(held, float) and isinstance(found, float):
        return math.isclose(held, found, rel_tol=RUN, abs_tol=1e-6)
    return held == found


def _same_sketch(held, found, *, rounding, floor):
    count, norm, projection = held
    of_norm, of_projection = rounding
    return (
        count == found[0]
        and abs(norm - found[1]) <= of_norm * norm + floor
        and abs(projection - found[2]) <= of_projection * norm + floor
    )
