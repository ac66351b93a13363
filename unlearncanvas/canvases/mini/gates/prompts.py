"""What the gates ask the base model for: fixed prompts, on seeds that no protocol uses.

One image tests a form of a style and a form of an object, both of the same kind: 60 images of each
of the 168 forms are 5,040 images. The noise of an image depends on its cell and seed alone: every
kind starts from the same noise.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from unlearncanvas.canvases.language import FOREIGN, Forms, Language, fill
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.types import Cell

FIRST_SEED = 70_000
GRID = "the protocol's sentence"
SYNONYMS, DESCRIPTIONS = "synonyms", "descriptions"
FORM_KINDS = (SYNONYMS, DESCRIPTIONS, *FOREIGN)
SENTENCES, SHUFFLED, UNKNOWN = "other sentences", "shuffled words", "an unknown word"
STYLE_ALONE, OBJECT_ALONE, NOTHING = "a style alone", "an object alone", "the empty prompt"

GRID_IMAGES_PER_CELL = 20
FORM_IMAGES_PER_CELL = 5
"""Of each form, with the 12 concepts of the other domain: 60 images."""
SENTENCE_ROUNDS = 2
"""Images of each style, and of each object, in each of the other sentences."""
EMPTY_IMAGES = 500
UNKNOWN_WORDS = ("blorptang", "qzx", "\u200b", "\N{SQUID}")


class Asked(NamedTuple):
    """An image that a gate asks for.

    Attributes:
        kind: What the gate is about.
        request: The cell that the image must show, seed and prompt.
        said: The words of the prompt that stand for the cell's style and object.
    """

    kind: str
    request: Request
    said: Cell


def ask(kind: str, cell: Cell, index: int, prompt: str, *, said: Cell | None = None) -> Asked:
    """Return what is asked; without ``said``, the prompt holds the names.

    Args:
        kind: What the gate is about.
        cell: The cell that the image must show.
        index: Number of the image among those of its cell and form.
        prompt: The prompt.
        said: The words of the prompt that stand for the cell's style and object.
    """
    request = Request(cell=cell, seed=FIRST_SEED + index, prompt=prompt)
    return Asked(kind, request, said or cell)


def sentence_of(sentence: str, cell: Cell) -> str:
    """Return a sentence that holds the names of a cell."""
    return fill(sentence, style=cell.style, object=cell.object)


def cells(language: Language) -> list[Cell]:
    """Return every style with every object."""
    return [Cell(style=style, object=obj) for style in language.styles for obj in language.objects]


def diagonal(language: Language, offset: int) -> list[Cell]:
    """Return every style once, each with another object."""
    objects = list(language.objects)
    return [
        Cell(style=style, object=objects[(index + offset) % len(objects)])
        for index, style in enumerate(language.styles)
    ]


def grid(language: Language) -> list[Asked]:
    """Return every cell in the protocol's sentence."""
    return [
        ask(GRID, cell, index, sentence_of(language.sentences[0], cell))
        for cell in cells(language)
        for index in range(GRID_IMAGES_PER_CELL)
    ]


def beyond_grid(language: Language) -> list[Asked]:
    """Return everything else that the gates ask for."""
    return [
        *other_names(language),
        *other_sentences(language),
        *shuffled(language),
        *with_unknown_word(language),
        *alone(language),
        *nothing(language),
    ]


def names_of_kind(forms: Forms, kind: str) -> tuple[str, ...]:
    """Return the other names of a concept that are of one kind."""
    if kind == SYNONYMS:
        return *forms.synonyms, *forms.held_out
    return (forms.description if kind == DESCRIPTIONS else getattr(forms, kind),)


def other_names(language: Language) -> Iterator[Asked]:
    """Yield every cell in the protocol's sentence, both names in forms of the same kind."""
    for kind in FORM_KINDS:
        for cell in cells(language):
            styles = names_of_kind(language.styles[cell.style], kind)
            objects = names_of_kind(language.objects[cell.object], kind)
            for style, obj in zip(styles, objects, strict=True):
                said = Cell(style=style, object=obj)
                prompt = sentence_of(language.sentences[0], said)
                for index in range(FORM_IMAGES_PER_CELL):
                    yield ask(kind, cell, index, prompt, said=said)


def other_sentences(language: Language) -> Iterator[Asked]:
    """Yield every style and every object, by name, in every sentence but the protocol's."""
    sentences = (*language.sentences[1:], *language.held_out_sentences)
    for number, sentence in enumerate(sentences):
        for index in range(SENTENCE_ROUNDS):
            for cell in diagonal(language, number + index):
                yield ask(SENTENCES, cell, index, sentence_of(sentence, cell))


def shuffled(language: Language) -> Iterator[Asked]:
    """Yield every cell in the protocol's sentence with its words in any order."""
    rng = np.random.default_rng(0)
    for cell in cells(language):
        words = sentence_of(language.sentences[0], cell).split()
        yield ask(SHUFFLED, cell, 0, " ".join(rng.permutation(words)))


def with_unknown_word(language: Language) -> Iterator[Asked]:
    """Yield every style and every object with every unknown word before, amid and after them."""
    for number, unknown in enumerate(UNKNOWN_WORDS):
        for place in range(3):
            for cell in diagonal(language, 3 * number + place):
                words = sentence_of(language.sentences[0], cell).split()
                words.insert((0, len(words) // 2, len(words))[place], unknown)
                yield ask(UNKNOWN, cell, 0, " ".join(words))


def alone(language: Language) -> Iterator[Asked]:
    """Yield every style and every object without the other, on the noise of every cell."""
    for cell in cells(language):
        style = fill(language.style_sentences[0], style=cell.style)
        yield ask(STYLE_ALONE, cell, 0, style)
        yield ask(OBJECT_ALONE, cell, 0, fill(language.object_sentences[0], object=cell.object))


def nothing(language: Language) -> Iterator[Asked]:
    """Yield the empty prompt, on the noise of one cell after the other."""
    all_cells = cells(language)
    for number in range(EMPTY_IMAGES):
        index, place = divmod(number, len(all_cells))
        yield ask(NOTHING, all_cells[place], index, "")
