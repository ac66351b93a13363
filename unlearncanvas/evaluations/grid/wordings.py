"""Other ways to ask for a cell: under another name, or in another sentence.

Image sets of the target's own cells, each with wordings of its kind that cycle over the cells:

- ``synonyms``: another English name, in the protocol's sentence;
- ``descriptions``: what it looks like, in the protocol's sentence;
- ``languages``: its word in another language, in the protocol's sentence;
- ``sentences``: its name in another sentence.

``mixed`` is a tenth of the grid, every style and every object once, with names and sentences of
every kind. Only what the protocol reserves for this is asked with; an eraser is given none of it.
"""

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


def is_mixed(row: int, column: int) -> bool:
    """Return whether a cell of the grid is asked for in mixed wordings."""
    return (row + column) % MIXED_STRIDE == 0


class Wordings:
    """The prompts of one language for the cells of one grid."""

    def __init__(self, language: Language, part: Part, sentence: str) -> None:
        """Take the language, the part of it that is asked with, and the protocol's sentence."""
        self._language, self._part, self._sentence = language, part, sentence
        held_out = part == "held_out"
        self._sentences = language.held_out_sentences if held_out else language.sentences[1:]

    def of_target(self, kind: str, target: Concept, cells: list[Cell]) -> dict[Cell, str]:
        """Return the prompts of the target's cells in one kind of wording."""
        domain: Domain = "style" if target.kind == "style" else "object"
        prompts = {}
        for place, cell in enumerate(cells):
            words = {"style": cell.style, "object": cell.object}
            if kind == "sentences":
                prompts[cell] = fill(self._sentences[place % len(self._sentences)], **words)
            else:
                words[domain] = self._name(domain, target.name, kind, place)
                prompts[cell] = fill(self._sentence, **words)
        return prompts

    def mixed(self, cells: list[Cell]) -> dict[Cell, str]:
        """Return the prompts of some cells, neighbors in different kinds of wordings."""
        prompts = {}
        for place, cell in enumerate(cells):
            kinds = MIXED_NAMES[place % 4], MIXED_NAMES[(place + place // 4 + 1) % 4]
            prompts[cell] = fill(
                self._sentences[place % len(self._sentences)],
                style=self._name("style", cell.style, kinds[0], place),
                object=self._name("object", cell.object, kinds[1], place),
            )
        return prompts

    def _name(self, domain: Domain, name: str, kind: str, place: int) -> str:
        """One of the names of a concept of a kind; the next place has the next one."""
        choices = (
            (name,) if kind == "names" else self._names(self._language.forms(domain)[name], kind)
        )
        return choices[place % len(choices)]

    def _names(self, forms: Forms, kind: str) -> tuple[str, ...]:
        if kind == "synonyms":
            return forms.held_out if self._part == "held_out" else forms.synonyms
        return (forms.description,) if kind == "descriptions" else forms.foreign
