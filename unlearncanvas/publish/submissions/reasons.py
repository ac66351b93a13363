"""Reasons to refuse a bundle: names that are missing, scores that differ."""

import math
from collections.abc import Iterator, Mapping, Sequence

from metrics.base import Score

EXACT = 1e-9
ROUNDING = 1e-5
"""Relative, for scores that are no proportions: floating-point sums differ between machines."""
LINE = 10
"""Reasons that are listed of one kind."""


def some(what: str, names: Sequence[str]) -> Iterator[str]:
    """Yield one reason for each name, and how many more there are."""
    for name in names[:LINE]:
        yield f"{name} {what}"
    if len(names) > LINE:
        yield f"{len(names) - LINE} more: {what}"


def differing(said: Mapping[str, tuple[object, object]]) -> Iterator[str]:
    """Yield a reason for each name whose two values differ: what is found, what the bundle says."""
    for name, (found, wanted) in said.items():
        if found != wanted:
            yield f"{name} is {found!r}, the bundle says {wanted!r}"


def scores_differ(said: Mapping[str, Score], found: Mapping[str, Score], why: str) -> Iterator[str]:
    """Yield a reason for each score that is not the one that was computed again."""
    for name, score in found.items():
        if name not in said:
            yield f"{name} is missing"
        elif not _same(said[name], score):
            one, two = (f"{item.value:.6g}" for item in (said[name], score))
            if one == two:
                one, two = (f"{item.value:.9g} {_ends(item)}" for item in (said[name], score))
            yield f"{name} is said to be {one}, {why} {two}"
    unknown = [name for name in said if name not in found and not is_optional(name)]
    yield from some("is a score that the protocol does not have", unknown)


def is_optional(name: str) -> bool:
    """Whether a score needs what may not be here: real images, networks of photographs."""
    return name.startswith(("fid_", "kid_", "artifact_rate", "lpips", "clip_"))


def _ends(score: Score) -> str:
    return "" if score.low is None else f"[{score.low:.9g}, {score.high:.9g}]"


def _same(one: Score, two: Score) -> bool:
    tolerance = EXACT if one.unit == "%" else ROUNDING
    ends = [(one.value, two.value), (one.low, two.low), (one.high, two.high)]
    return one.n == two.n and all(
        a == b
        if a is None or b is None
        else math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
        for a, b in ends
    )
