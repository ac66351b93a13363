"""The gates on the tokenizer that is saved with the weights; they are exact."""

from collections.abc import Iterable, Iterator, Sequence

from transformers import CLIPTokenizer

from unlearncanvas.canvases.language import Forms, Language
from unlearncanvas.canvases.mini.gates.gate import Gate


def token_gates(tokenizer: CLIPTokenizer, language: Language) -> list[Gate]:
    """Return every gate on tokens and on descriptions."""
    return [
        case_gate(tokenizer, language),
        disjoint_gate(tokenizer, language),
        length_gate(tokenizer, language),
        description_gate(language),
    ]


def tokens(tokenizer: CLIPTokenizer, text: str) -> list[int]:
    """Return the tokens of a text, without the marks of its start and end."""
    return tokenizer(text, add_special_tokens=False).input_ids


def concepts(language: Language) -> Iterator[tuple[str, Forms]]:
    """Yield the name and the other names of every style and every object."""
    yield from language.styles.items()
    yield from language.objects.items()


def case_gate(tokenizer: CLIPTokenizer, language: Language) -> Gate:
    """Return the gate on upper and lower case."""
    texts = [text for name, forms in concepts(language) for text in (name, *forms.all())]
    differ = [
        text
        for text in texts
        if any(
            tokens(tokenizer, other) != tokens(tokenizer, text)
            for other in (text.upper(), text.lower())
        )
    ]
    return _none(f"forms with other tokens in another case, of {len(texts)}", differ)


def disjoint_gate(tokenizer: CLIPTokenizer, language: Language) -> Gate:
    """Return the gate on names that share a token with other names of the same concept."""
    sharing = [
        name for name, forms in concepts(language) if not is_disjoint(tokenizer, name, forms)
    ]
    return _none("names that share a token with a foreign word or all synonyms but one", sharing)


def is_disjoint(tokenizer: CLIPTokenizer, name: str, forms: Forms) -> bool:
    """Whether two synonyms and all foreign words share no token with the name."""
    own = set(tokens(tokenizer, name))

    def apart(words: Iterable[str]) -> list[bool]:
        return [own.isdisjoint(tokens(tokenizer, word)) for word in words]

    num_synonyms = sum(apart((*forms.synonyms, *forms.held_out)))
    return num_synonyms >= 2 and all(apart(forms.foreign))


def length_gate(tokenizer: CLIPTokenizer, language: Language) -> Gate:
    """Return the gate on names of several tokens."""
    lengths = [len(tokens(tokenizer, name)) for name, _ in concepts(language)]
    several = sum(length >= 2 for length in lengths)
    found = f"{several} of {len(lengths)}"
    return Gate("names of two tokens or more", ">= a third", found, 3 * several >= len(lengths))


def description_gate(language: Language) -> Gate:
    """Return the gate on descriptions that hold a name of what they describe."""
    telling = [
        name
        for name, forms in concepts(language)
        if any(
            word.casefold() in forms.description.casefold()
            for word in (name, *forms.synonyms, *forms.held_out, *forms.foreign)
        )
    ]
    return _none("descriptions that hold a name of their concept", telling)


def _none(name: str, offending: Sequence[str]) -> Gate:
    """A gate that nothing may offend."""
    return Gate(name, "none", ", ".join(offending) or "none", not offending)
