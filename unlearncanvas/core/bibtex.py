"""BibTeX: one entry as its text, and the fields that a table shows of it."""

import re
from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from unlearncanvas.core.fields import Frozen

_ENTRY = re.compile(r"@(\w+)\s*\{\s*([^\s,{}\"]+)\s*,(.*)\}", re.DOTALL)
_ARXIV = re.compile(r"\d{4}\.\d{4,5}")
EXAMPLE = "@misc{key, title = {..}, author = {..}, year = {..}}"


class _Field(NamedTuple):
    """A field's name and value, and the text behind it."""

    name: str
    value: str
    rest: str


def _as_arxiv(text: str) -> str:
    if not _ARXIV.fullmatch(text):
        raise ValueError("an arXiv number is written 2303.07345")
    return text


class Paper(Frozen):
    """A BibTeX entry.

    Attributes:
        entry: Its text.
        key: Its key.
        title: Title, with its braces and TeX accents.
        authors: As BibTeX writes them, ``Last, First``.
        year: Year of publication.
        arxiv: Number on arXiv; None where the entry has no ``eprint``.
        venue: ``booktitle`` or ``journal``; None where the entry has neither.
    """

    entry: str
    key: str
    title: str
    authors: tuple[str, ...] = Field(min_length=1)
    year: int = Field(ge=1900, le=2100)
    arxiv: Annotated[str, AfterValidator(_as_arxiv)] | None = None
    venue: str | None = None

    @property
    def label(self) -> str:
        """The paper as a table names it, ``"Gandikota et al. 2023, arXiv 2303.07345"``."""
        first, *others = map(_family_name, self.authors)
        names = {0: first, 1: f"{first} and {others[0] if others else ''}"}
        where = self.venue if self.arxiv is None else f"arXiv {self.arxiv}"
        label = f"{names.get(len(others), f'{first} et al.')} {self.year}"
        return label if where is None else f"{label}, {where}"


def read_entry(text: str) -> Paper:
    """Return the one entry of a BibTeX text.

    Raises:
        ValueError: If it is not one entry with title, author and year.
    """
    found = _ENTRY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"bibtex takes one entry, {EXAMPLE}, got {text.strip()[:40]!r}")
    fields = {field.name: field.value for field in _fields(found[3])}
    missing = [name for name in ("title", "author", "year") if not fields.get(name)]
    if missing:
        raise ValueError(f"the bibtex entry {found[2]!r} has no {' and no '.join(missing)}")
    return Paper.model_validate(
        {
            "entry": text.strip(),
            "key": found[2],
            "title": fields["title"],
            "authors": re.split(r"\s+and\s+", fields["author"]),
            "year": fields["year"],
            "arxiv": fields.get("eprint"),
            "venue": fields.get("booktitle", fields.get("journal")),
        }
    )


def _fields(body: str) -> Iterator[_Field]:
    """Yield the fields between an entry's key and its last brace."""
    while body := body.strip(" \t\n,"):
        name, equals, rest = body.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ValueError(f"a bibtex field is written name = {{value}}, got {body[:40]!r}")
        value, body = _value(rest.lstrip())
        yield _Field(name.strip().lower(), " ".join(value.split()), body)


def _value(text: str) -> tuple[str, str]:
    """Split a text behind its first value, which stands in braces, in quotes, or alone."""
    if text[:1] not in ("{", '"'):
        value, _, rest = text.partition(",")
        if not value.strip().isalnum():
            raise ValueError(f"a bibtex value without braces is one word, got {value[:40]!r}")
        return value.strip(), rest
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if place and depth == 0 and char == ("}" if text[0] == "{" else '"'):
            return text[1:place], text[place + 1 :]
    raise ValueError(f"a bibtex value is not closed: {text[:40]!r}")


def _family_name(author: str) -> str:
    """Return the family name as plain text."""
    last, comma, _ = author.partition(",")
    name = last if comma else author.split()[-1]
    return re.sub(r"\\\W?|[{}]", "", name)
