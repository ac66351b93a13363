"""What a score is called in tables, and its text: its metric says so, for every table alike.

A score whose metric is not registered here, from a file of another version, goes by its own name.
"""

from collections.abc import Iterable
from typing import NamedTuple

from metrics.base import Score
from unlearncanvas.core.method_config import load_metric
from unlearncanvas.core.registry import names


class Heading(NamedTuple):
    """How a metric is shown.

    Attributes:
        name: Its name in the registry and in results.
        label: Its name in tables.
        digits: Digits after the point; None: fewer of large values.
    """

    name: str
    label: str
    digits: int | None


def heading_of(name: str) -> Heading:
    """Return how the metric of a name is shown."""
    words = name.replace("_", " ")
    if name not in names("metrics"):
        return Heading(name, words, None)
    metric = load_metric(name)
    return Heading(name, metric.label or words, metric.digits)


def headings_of(scores: Iterable[dict[str, Score]]) -> list[Heading]:
    """Return how the metrics of some rows are shown, in the rows' order."""
    return [heading_of(name) for name in dict.fromkeys(name for row in scores for name in row)]


def directed(label: str, score: Score) -> str:
    """Return a label with an arrow that says what is better."""
    return f"{label} {'↑' if score.higher_is_better else '↓'}"


def value_text(score: Score, digits: int | None = None) -> str:
    """Return a value; without ``digits`` a percentage has one, another fewer the larger it is."""
    return f"{score.value:.{_digits(score, digits)}f}"


def interval_text(score: Score, digits: int | None = None) -> str:
    """Return a score's interval with the digits of its value; nothing where there is none."""
    if score.low is None or score.high is None:
        return ""
    places = _digits(score, digits)
    return f"[{score.low:.{places}f}, {score.high:.{places}f}]"


def intervals_of(scores: Iterable[Score], count: int) -> str:
    """Return what the intervals of means over ``count`` targets are about, for a caption."""
    known = [score for score in scores if score.low is not None]
    if not known:
        return "means only, intervals per target are in results.json"
    if any(score.over == "cells" for score in known):
        only = "of this target alone" if count == 1 else f"of these {count} targets alone"
        return f"95 % over the cells {only}; other targets and erasing seeds are not in it"
    return "95 % over targets; the erasing seed's variance is not in it"


def _digits(score: Score, digits: int | None) -> int:
    if digits is not None:
        return digits
    return 1 if score.unit == "%" else sum(abs(score.value) < limit for limit in (10, 1000))
