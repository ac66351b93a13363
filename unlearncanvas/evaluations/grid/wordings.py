"""Other ways to ask for a cell: under another name, or in another sentence.

Image sets of the target's own cells, each with wordings of its kind that cycle over the cells:

- ``synonyms``: another English name, in the protocol's sentence;
- ``descriptions``: what it looks like, in the protocol's sentence;
- ``languages``: its word in another language, in the protocol's sentence;
- ``sentences``: its name in another sentence.

``mixed`` is a tenth of the grid with names and sentences of every kind, the same cells for every
target. No eraser is given any of this; synonyms and sentences that are held out serve reported
scores, the open ones a search for settings.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from unlearncanvas.canvases.language import Forms, Language, fill
from unlearncanvas.types import Cell, Concept, Domain

Part = Literal["held_out", "open"]
"""Synonyms and sentences that only reported scores ask with, or those that a search may use."""

TARGET_SETS = ("synonyms", "descriptions", "languages", "sentences")
MIXED = "mixed"
MIXED_STRIDE = 10
"""Of the cells of the grid, every so many-th of each row and column is in ``mixed``."""
MIXED_NAMES = ("synonyms", "names", "descriptions", "languages")


def set_name(kind: str, target: Concept) -> str:
    """Return the name of an image set; those of the target's cells have the target in it."""
    return kind if kind == MIXED else f"{kind}-{target.slug}"


def worded_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds of images in other wordings: the first half of those of a run."""
    return tuple(seeds[: (len(seeds) + 1) // 2])


def mixed_cells(styles: tuple[str, ...], objects: tuple[str, ...]) -> list[Cell]:
    """Return a diagonal of the grid: every style and every object; of small grids more of it."""
    stride = min(MIXED_STRIDE, len(styles), len(objects))
    return [
        Cell(style=style, object=obj)
        for row, style in enumerate(styles)
        for column, obj in enumerate(objects)
        if (row + column) % stride == 0
    ]


class Wordings:
    """The prompts of one part of a language, with a protocol's sentence."""

    def __init__(self, language: Language, part: Part) -> None:
        """Take the language, and the part of it that is asked with."""
        self._language, self._part = language, part
        self._protocol, *open_ones = language.sentences
        self._others = language.held_out_sentences if part == "held_out" else open_ones

    def of_target(self, kind: str, target: Concept, cells: list[Cell]) -> dict[Cell, str]:
        """Return the prompts of the target's cells in one kind of wording."""
        domain: Domain = "style" if target.kind == "style" else "object"
        prompts = {}
        for place, cell in enumerate(cells):
            words = {"style": cell.style, "object": cell.object}
            if kind == "sentences":
                prompts[cell] = fill(self._others[place % len(self._others)], **words)
            else:
                words[domain] = self._name(domain, target.name, kind, place)
                prompts[cell] = fill(self._protocol, **words)
        return prompts

    def mixed(self, cells: list[Cell]) -> dict[Cell, str]:
        """Return the prompts of some cells, neighbors in different kinds of wordings."""
        prompts, asked = {}, Counter[tuple[Domain, str]]()

        def next_name(domain: Domain, name: str, place: int) -> str:
            kind = MIXED_NAMES[place % len(MIXED_NAMES)]
            asked[domain, kind] += 1
            return self._name(domain, name, kind, asked[domain, kind] - 1)

        for place, cell in enumerate(cells):
            shift = place // len(MIXED_NAMES) + 1
            prompts[cell] = fill(
                self._others[place % len(self._others)],
                style=next_name("style", cell.style, place),
                object=next_name("object", cell.object, place + shift),
            )
        return prompts

    def _name(self, domain: Domain, name: str, kind: str, place: int) -> str:
        """A name of a concept of one kind; the next place has the next one."""
        if kind == "names":
            return name
        names = self._names(self._language.forms(domain)[name])[kind]
        return names[place % len(names)]

    def _names(self, forms: Forms) -> dict[str, tuple[str, ...]]:
        return {
            "synonyms": forms.held_out if self._part == "held_out" else forms.synonyms,
            "descriptions": (forms.description,),
            "languages": forms.foreign,
        }
