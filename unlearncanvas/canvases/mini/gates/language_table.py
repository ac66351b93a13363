"""The language of a canvas as tables that a person can read."""

from typing import get_args

from rich.table import Table

from unlearncanvas.canvases.language import FOREIGN, Language
from unlearncanvas.types import Domain


def language_tables(language: Language) -> list[Table]:
    """Return the sentences, the styles and the objects."""
    return [
        _sentences(language),
        *(_names(language, kind, f"Names of {kind}s") for kind in get_args(Domain)),
    ]


def _sentences(language: Language) -> Table:
    table = Table("of", "sentence", "", title="Sentences")
    for what, sentences, note in (
        ("style and object", language.sentences, ""),
        ("style and object", language.held_out_sentences, "held out"),
        ("style", language.style_sentences, ""),
        ("object", language.object_sentences, ""),
    ):
        for sentence in sentences:
            table.add_row(what, sentence, note)
    return table


def _names(language: Language, kind: Domain, title: str) -> Table:
    table = Table(kind, "synonyms", "held out", title=title, show_lines=True)
    table.add_column("description", overflow="fold")
    table.add_column("\n".join(FOREIGN), no_wrap=True)
    for name, forms in language.forms(kind).items():
        lists = ("\n".join(words) for words in (forms.synonyms, forms.held_out))
        table.add_row(name, *lists, forms.description, "\n".join(forms.foreign))
    return table
