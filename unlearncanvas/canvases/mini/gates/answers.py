"""The gates on what the base model understands, from what the detectors saw in its images."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import NamedTuple, get_args

from unlearncanvas.canvases.mini.gates.gate import Gate
from unlearncanvas.canvases.mini.gates.prompts import (
    FORM_KINDS,
    GRID,
    NOTHING,
    OBJECT_ALONE,
    SENTENCES,
    SHUFFLED,
    STYLE_ALONE,
    UNKNOWN,
    Asked,
)
from unlearncanvas.types import Cell, Domain

KIND_LIMITS = {GRID: 0.98} | dict.fromkeys((*FORM_KINDS, SENTENCES, SHUFFLED, UNKNOWN), 0.97)
"""Shares of the styles and of the objects, at least."""
ALONE_LIMIT, FORM_LIMIT, CELL_LIMIT = 0.97, 0.85, 0.80
EMPTY_LIMIT = 3
"""Times its share that a style or an object may have among images of the empty prompt."""


class Answer(NamedTuple):
    """An image that was asked for, and what the detectors saw in it."""

    asked: Asked
    seen: Cell

    def is_right(self, domain: Domain) -> bool:
        """Whether the style, or the object, is the one that was asked for."""
        return self.seen.name(domain) == self.asked.request.cell.name(domain)


def share(answers: Sequence[Answer], domain: Domain) -> float:
    """Return the share of images whose style, or object, is right, in [0, 1]."""
    return mean(answer.is_right(domain) for answer in answers)


def percent(value: float) -> str:
    """Return a share in percent with two digits, as the limits are compared."""
    return f"{100 * value:.2f} %"


def answer_gates(answers: Sequence[Answer]) -> list[Gate]:
    """Return every gate on what the images show."""
    kinds = defaultdict(list)
    for answer in answers:
        kinds[answer.asked.kind].append(answer)
    return [
        *(kind_gate(kinds[kind], kind, limit) for kind, limit in KIND_LIMITS.items()),
        worst_cell_gate(kinds[GRID]),
        worst_forms_gate([answer for kind in (GRID, *FORM_KINDS) for answer in kinds[kind]]),
        alone_gate(kinds[STYLE_ALONE], STYLE_ALONE, "style", "object"),
        alone_gate(kinds[OBJECT_ALONE], OBJECT_ALONE, "object", "style"),
        empty_gate(kinds[NOTHING]),
    ]


def kind_gate(answers: Sequence[Answer], kind: str, limit: float) -> Gate:
    """Return the gate on all styles and all objects in one kind of prompt."""
    style, obj = share(answers, "style"), share(answers, "object")
    found = f"style {percent(style)}, object {percent(obj)}"
    wanted = f">= {limit:.0%} each".replace("%", " %")
    return Gate(f"{kind}, {len(answers):,} images", wanted, found, min(style, obj) >= limit)


def worst_cell_gate(answers: Sequence[Answer]) -> Gate:
    """Return the gate on the cell whose style and object are both right least often."""
    right = defaultdict(list)
    for answer in answers:
        both = answer.is_right("style") and answer.is_right("object")
        right[answer.asked.request.cell].append(both)
    shares = {cell: mean(both) for cell, both in right.items()}
    worst = min(shares, key=shares.__getitem__)
    found = f"{percent(shares[worst])} ({worst.object} in {worst.style})"
    passed = shares[worst] >= CELL_LIMIT
    return Gate("worst cell, style and object both", ">= 80 %", found, passed)


def form_shares(answers: Sequence[Answer]) -> Mapping[str, float]:
    """Return the share of right images of each form of each concept."""
    right = defaultdict(list)
    for answer in answers:
        for domain in get_args(Domain):
            name = answer.asked.request.cell.name(domain)
            form = f"{name} as {answer.asked.said.name(domain)!r}"
            right[form].append(answer.is_right(domain))
    return {form: mean(each) for form, each in right.items()}


def worst_forms_gate(answers: Sequence[Answer]) -> Gate:
    """Return the gate on the single form that is right least often; the worst three are named."""
    shares = form_shares(answers)
    worst = sorted(shares, key=shares.__getitem__)[:3]
    found = ", ".join(f"{form} {percent(shares[form])}" for form in worst)
    passed = shares[worst[0]] >= FORM_LIMIT
    return Gate(f"worst of {len(shares)} forms", ">= 85 %", found, passed)


def counts(answers: Sequence[Answer], domain: Domain) -> list[tuple[str, int]]:
    """Return how many images show each style, or each object, most first."""
    return Counter(answer.seen.name(domain) for answer in answers).most_common()


def alone_gate(answers: Sequence[Answer], kind: str, domain: Domain, other: Domain) -> Gate:
    """Return the gate on a concept alone; what the other domain gets is reported."""
    right = share(answers, domain)
    others = ", ".join(
        f"{name} {count / len(answers):.0%}".replace("%", " %")
        for name, count in counts(answers, other)
    )
    found = f"{percent(right)}; {other}s: {others}"
    return Gate(f"{kind}, {len(answers):,} images", ">= 97 %", found, right >= ALONE_LIMIT)


def empty_gate(answers: Sequence[Answer]) -> Gate:
    """Return the gate on the style and the object that the empty prompt draws most often.

    Its share among all is 1 / 12, as there are 12 styles and 12 objects.
    """
    limit = EMPTY_LIMIT / 12
    tops = [counts(answers, domain)[0] for domain in get_args(Domain)]
    found = ", ".join(f"{name} {percent(count / len(answers))}" for name, count in tops)
    passed = all(count / len(answers) <= limit for _, count in tops)
    return Gate(f"{NOTHING}, {len(answers):,} images", f"each <= {percent(limit)}", found, passed)
