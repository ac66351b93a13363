"""Captions of the mini canvas, drawn at random: what its model is trained to understand.

A concept is named by its name in about half of the captions, by a synonym in a third, else by its
description or its word in another language. A sentence leaves a concept out now and then, has an
unknown word in it, or its words in any order.
"""

from collections.abc import Sequence

import numpy as np

from unlearncanvas.canvases.language import Forms, Language, fill

NAME, SYNONYM, DESCRIPTION, OTHER_LANGUAGE = 0.46, 0.30, 0.09, 0.15
"""Shares of the forms of a concept."""
OBJECT_ONLY, STYLE_ONLY, EMPTY = 0.07, 0.07, 0.12
"""Shares of captions that leave something out, so that single concepts mean something alone."""
PROTOCOL = 0.4
"""Share of the protocol's sentence; the rest is any sentence, the protocol's among them."""
MIXED_ORDER, UNKNOWN_WORD = 0.05, 0.08
"""Shares of the other sentences whose words are shuffled, or that have a word of no meaning."""
ALPHABETS = ((0x61, 0x7A), (0x21, 0x7E), (0xC0, 0x24F), (0x400, 0x4FF), (0x3040, 0x30FF),
             (0x2000, 0x206F), (0x4E00, 0x9FFF), (0x1F300, 0x1F6FF))  # fmt: skip
"""First and last character of the scripts that unknown words are made of."""


class Captions:
    """Draws captions in one language from one generator."""

    def __init__(self, language: Language, rng: np.random.Generator) -> None:
        """Take the language and the generator."""
        self._language = language
        self._rng = rng

    def draw(self, style: str, obj: str) -> str:
        """Return a caption of an image, which may leave out its style, its object or both."""
        return self.caption(*self.mentioned(style, obj))

    def mentioned(self, style: str, obj: str) -> tuple[str | None, str | None]:
        """Return what a caption of an image mentions; None is left out."""
        left_out = self._rng.choice(
            4, p=(1 - OBJECT_ONLY - STYLE_ONLY - EMPTY, OBJECT_ONLY, STYLE_ONLY, EMPTY)
        )
        return None if left_out in (1, 3) else style, None if left_out in (2, 3) else obj

    def caption(self, style: str | None, obj: str | None) -> str:
        """Return a sentence about a style and an object; None is not mentioned."""
        words = {}
        if style is not None:
            words["style"] = self.form(style, self._language.styles[style])
        if obj is not None:
            words["object"] = self.form(obj, self._language.objects[obj])
        sentences = self._sentences(style, obj)
        if not sentences:
            return ""
        if self._rng.random() < PROTOCOL:
            return fill(sentences[0], **words)
        return self._disturbed(fill(self._one_of(sentences), **words))

    def form(self, name: str, forms: Forms) -> str:
        """Return one of the names of a concept."""
        kind = self._rng.choice(4, p=(NAME, SYNONYM, DESCRIPTION, OTHER_LANGUAGE))
        choices = (
            (name,),
            (*forms.synonyms, *forms.held_out),
            (forms.description,),
            forms.foreign,
        )
        return self._one_of(choices[kind])

    def unknown_word(self) -> str:
        """Return a word of one to eight random characters of one script."""
        first, last = ALPHABETS[self._rng.integers(len(ALPHABETS))]
        codes = self._rng.integers(first, last + 1, size=self._rng.integers(1, 9))
        return "".join(map(chr, codes))

    def _sentences(self, style: str | None, obj: str | None) -> Sequence[str]:
        if style is None:
            return () if obj is None else self._language.object_sentences
        if obj is None:
            return self._language.style_sentences
        return (*self._language.sentences, *self._language.held_out_sentences)

    def _disturbed(self, sentence: str) -> str:
        """A sentence, sometimes with its words in any order or an unknown one among them."""
        draw = self._rng.random()
        if draw >= MIXED_ORDER + UNKNOWN_WORD:
            return sentence
        words = sentence.split()
        if draw < MIXED_ORDER:
            return " ".join(self._rng.permutation(words))
        words.insert(self._rng.integers(len(words) + 1), self.unknown_word())
        return " ".join(words)

    def _one_of(self, choices: Sequence[str]) -> str:
        return choices[int(self._rng.integers(len(choices)))]
