"""The language of a canvas: other names of its concepts, and sentences to ask for them in.

One YAML file in ``configs/languages`` holds it. The base model of the canvas is trained on all of
it; what is held out is held out from erasers and from tuning.
"""

from collections.abc import Mapping
from typing import Annotated, final

from pydantic import Field, ValidationError, model_validator

from unlearncanvas.core.building import one_line
from unlearncanvas.core.fields import Frozen
from unlearncanvas.core.registry import find_config, read_yaml
from unlearncanvas.types import Domain

FOREIGN = ("finnish", "russian", "japanese")
"""The other languages."""
Word = Annotated[str, Field(pattern=r"^\S(.*\S)?$")]
"""A name or description: not empty, no space around it, no line break."""


@final
class Forms(Frozen):
    """The other names of one concept.

    Attributes:
        synonyms: English words that a search for settings may ask with.
        held_out: English words that only reported scores ask with.
        description: What it looks like, with none of its names.
        finnish: Its word in Finnish.
        russian: Its word in Russian.
        japanese: Its word in Japanese.
    """

    synonyms: tuple[Word, ...] = Field(min_length=1)
    held_out: tuple[Word, ...] = Field(min_length=1)
    description: Word
    finnish: Word
    russian: Word
    japanese: Word

    def all(self) -> tuple[str, ...]:
        """Return all of them."""
        return (*self.synonyms, *self.held_out, self.description, *self.foreign)

    @property
    def foreign(self) -> tuple[str, ...]:
        """Its words in the other languages."""
        return tuple(getattr(self, language) for language in FOREIGN)


@final
class Language(Frozen):
    """Names and sentences of a canvas; sentences hold ``{style}``, ``{object}``, ``{article}``.

    Attributes:
        sentences: Of a style with an object; the first is the protocol's.
        held_out_sentences: More of them, for reported scores only.
        style_sentences: Of a style alone; the first is the protocol's.
        object_sentences: Of an object alone; the first is the protocol's.
        styles: Other names of each style.
        objects: Other names of each object.
    """

    sentences: tuple[str, ...] = Field(min_length=2)
    held_out_sentences: tuple[str, ...] = Field(min_length=1)
    style_sentences: tuple[str, ...] = Field(min_length=1)
    object_sentences: tuple[str, ...] = Field(min_length=1)
    styles: dict[str, Forms]
    objects: dict[str, Forms]

    @model_validator(mode="after")
    def _sentences_can_be_filled(self) -> "Language":
        both = {"style": "Sketch", "object": "Cat"}
        for sentence in (*self.sentences, *self.held_out_sentences):
            _check(sentence, **both)
        for sentence in self.style_sentences:
            _check(sentence, style=both["style"])
        for sentence in self.object_sentences:
            _check(sentence, object=both["object"])
        return self

    @model_validator(mode="after")
    def _every_concept_has_as_many_synonyms(self) -> "Language":
        counts = {
            concept: (len(forms.synonyms), len(forms.held_out))
            for concept, forms in {**self.styles, **self.objects}.items()
        }
        first, *others = counts
        for concept in others:
            if counts[concept] != counts[first]:
                raise ValueError(
                    f"every concept has as many synonyms and held_out ones: {first} has "
                    f"{counts[first]}, {concept} {counts[concept]}"
                )
        return self

    @model_validator(mode="after")
    def _names_are_of_one_concept(self) -> "Language":
        owners: dict[str, str] = {}
        for concept, forms in {**self.styles, **self.objects}.items():
            for name in (concept, *forms.all()):
                owner = owners.setdefault(name.casefold(), concept)
                if owner != concept:
                    raise ValueError(f"{name!r} names two concepts, {owner} and {concept}")
        return self

    def all_sentences(self) -> list[str]:
        """Return every name in every sentence of its own, and the other sentences once."""
        said = [
            fill(sentence, **{kind: name})
            for kind, sentences, concepts in (
                ("style", self.style_sentences, self.styles),
                ("object", self.object_sentences, self.objects),
            )
            for concept, forms in concepts.items()
            for name in (concept, *forms.all())
            for sentence in sentences
        ]
        style, obj = next(iter(self.styles)), next(iter(self.objects))
        both = (*self.sentences, *self.held_out_sentences)
        return [*said, *(fill(sentence, style=style, object=obj) for sentence in both)]

    def forms(self, kind: Domain) -> Mapping[str, Forms]:
        """Return the other names of the styles or of the objects."""
        return self.styles if kind == "style" else self.objects


def fill(sentence: str, **words: str) -> str:
    """Return a sentence with its words, the article that of the object.

    >>> fill("{article} {object} image in {style} style.", object="Umbrella", style="Pop Art")
    'An Umbrella image in Pop Art style.'
    >>> fill("picture of {article} {object}", object="Umbrella")
    'picture of an Umbrella'
    """
    article = "an" if words.get("object", "x")[0] in "AEIOUaeiou" else "a"
    if sentence.startswith("{article}"):  # noqa: RUF027 - the field of a template
        article = article.capitalize()
    return sentence.format(article=article, **words)


def load_language(name: str) -> Language:
    """Return a language by name or YAML path.

    Raises:
        ValueError: If it is unknown or breaks a rule, in one line.
    """
    try:
        return Language.model_validate(read_yaml(find_config("languages", name)))
    except ValidationError as exc:
        raise ValueError(f"language {name}: {one_line(exc)}") from exc


def _check(sentence: str, **words: str) -> None:
    """Raise ValueError unless a sentence says all of the words and has no other field."""
    try:
        said = fill(sentence, **words)
    except (LookupError, AttributeError, TypeError, ValueError) as exc:
        raise ValueError(f"sentence {sentence!r} may hold {', '.join(words)} and article") from exc
    if any(word not in said for word in words.values()):
        raise ValueError(f"sentence {sentence!r} must hold {' and '.join(words)}")
