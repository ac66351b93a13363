"""The language of the mini canvas, and the captions that its model is trained on."""

from collections import Counter

import numpy as np
import pytest
import yaml

from unlearncanvas.canvases.language import fill, load_language
from unlearncanvas.canvases.mini.architecture import build_tokenizer
from unlearncanvas.canvases.mini.captions import Captions
from unlearncanvas.canvases.mini.gates.tokens import token_gates
from unlearncanvas.canvases.mini.objects import OBJECTS
from unlearncanvas.canvases.mini.styles import STYLES
from unlearncanvas.core.registry import find_config, read_yaml
from unlearncanvas.evaluations.grid.protocol import load_protocol

LANGUAGE = load_language("mini")
CONCEPTS = LANGUAGE.styles | LANGUAGE.objects


@pytest.fixture
def captions():
    return Captions(LANGUAGE, np.random.default_rng(0))


def test_it_names_every_style_and_every_object_of_the_canvas_in_order():
    assert list(LANGUAGE.styles) == list(STYLES)
    assert list(LANGUAGE.objects) == list(OBJECTS)


def test_its_first_sentence_is_the_protocols():
    assert LANGUAGE.sentences[0] == load_protocol("mini").prompt


def test_every_concept_has_three_synonyms_and_every_pair_twelve_sentences():
    for forms in CONCEPTS.values():
        assert len((*forms.synonyms, *forms.held_out)) == 3
    assert len((*LANGUAGE.sentences, *LANGUAGE.held_out_sentences)) == 12


def test_no_name_occurs_twice():
    names = [form for name, forms in CONCEPTS.items() for form in (name, *forms.all())]
    counts = Counter(name.casefold() for name in names)
    assert len(names) == 24 * 8
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize(
    ("kind", "sentence", "message"),
    [
        ("sentences", "a picture of {object}", "must hold style and object"),
        ("held_out_sentences", "in the style of {style}", "must hold style and object"),
        ("sentences", "{object} in {style} by {artist}", "may hold style, object and article"),
        ("style_sentences", "in a style", "must hold style"),
        ("style_sentences", "{object} in {style}", "may hold style and article"),
        ("object_sentences", "{style}: {object}", "may hold object and article"),
        ("object_sentences", "a {object", "may hold object and article"),
        ("object_sentences", "a {object.x}", "may hold object and article"),
        ("object_sentences", "a {object[x]}", "may hold object and article"),
    ],
)
def test_a_sentence_with_a_missing_or_an_unknown_field_is_refused(
    tmp_path, kind, sentence, message
):
    plain = read_yaml(find_config("languages", "mini"))
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(plain | {kind: [*plain[kind], sentence]}))
    with pytest.raises(ValueError, match=message) as caught:
        load_language(str(path))
    assert repr(sentence) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_word_that_names_two_concepts_is_refused(tmp_path):
    plain = read_yaml(find_config("languages", "mini"))
    plain["styles"]["Sketch"]["held_out"] = ["kissa", "graphite"]
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(plain))
    with pytest.raises(ValueError, match="'kissa' names two concepts, Sketch and Cat"):
        load_language(str(path))


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        (
            "synonyms",
            ["drawing", "doodle"],
            r"as many synonyms .*: Blueprint has \(1, 2\), Sketch \(2, 2\)",
        ),
        ("synonyms", [""], "should match pattern"),
        ("finnish", " luonnos", "should match pattern"),
        ("description", "two\nlines", "should match pattern"),
    ],
)
def test_names_that_cannot_be_asked_with_are_refused(tmp_path, name, words, message):
    plain = read_yaml(find_config("languages", "mini"))
    plain["styles"]["Sketch"][name] = words
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(plain))
    with pytest.raises(ValueError, match=message) as caught:
        load_language(str(path))
    assert "\n" not in str(caught.value)


def test_the_article_is_that_of_the_object():
    assert fill("{article} {object}", object="evergreen") == "An evergreen"
    assert fill("picture of {article} {object}", object="Tree") == "picture of a Tree"
    assert fill("{article} {object} in {style}", object="oak", style="Mosaic") == "An oak in Mosaic"


def test_captions_use_every_form_of_every_concept(captions):
    for name, forms in CONCEPTS.items():
        assert {captions.form(name, forms) for _ in range(500)} == {name, *forms.all()}


def test_captions_use_every_sentence(captions):
    styles = ("Sketch", *LANGUAGE.styles["Sketch"].all())
    objects = ("Cat", *LANGUAGE.objects["Cat"].all())
    for pair, sentences in (
        (("Sketch", "Cat"), (*LANGUAGE.sentences, *LANGUAGE.held_out_sentences)),
        (("Sketch", None), LANGUAGE.style_sentences),
        ((None, "Cat"), LANGUAGE.object_sentences),
    ):
        drawn = {captions.caption(*pair) for _ in range(1500)}
        for sentence in sentences:
            said = {fill(sentence, style=style, object=obj) for style in styles for obj in objects}
            assert drawn & said, sentence


def test_an_empty_caption_says_nothing(captions):
    assert {captions.caption(None, None) for _ in range(20)} == {""}


def test_captions_leave_out_the_stated_shares(captions):
    mentioned = Counter(captions.mentioned("Sketch", "Cat") for _ in range(40_000))
    shares = {pair: count / 40_000 for pair, count in mentioned.items()}
    # four standard errors are at most 0.009
    assert shares.keys() == {("Sketch", "Cat"), (None, "Cat"), ("Sketch", None), (None, None)}
    assert shares["Sketch", "Cat"] == pytest.approx(0.74, abs=0.009)
    assert shares[None, "Cat"] == pytest.approx(0.07, abs=0.005)
    assert shares["Sketch", None] == pytest.approx(0.07, abs=0.005)
    assert shares[None, None] == pytest.approx(0.12, abs=0.007)


def test_captions_use_the_stated_shares_of_forms(captions):
    forms = LANGUAGE.objects["Cat"]
    drawn = Counter(captions.form("Cat", forms) for _ in range(40_000))
    kinds = {
        0.46: ["Cat"],
        0.30: ["tomcat", "feline", "kitty"],
        0.09: ["animal with whiskers"],
        0.15: ["kissa", "кошка", "猫"],
    }
    for share, names in kinds.items():
        assert sum(drawn[name] for name in names) / 40_000 == pytest.approx(share, abs=0.01)
        for name in names:
            assert drawn[name] / 40_000 == pytest.approx(share / len(names), abs=0.01)


def test_captions_use_the_stated_shares_of_sentences(captions):
    """The protocol's in 40 %, and as any other of twelve in 60 %, of which 13 % are disturbed."""
    styles = ("Sketch", *LANGUAGE.styles["Sketch"].all())
    objects = ("Cat", *LANGUAGE.objects["Cat"].all())

    def said(sentences):
        return {fill(one, style=s, object=o) for one in sentences for s in styles for o in objects}

    protocols, others = said(LANGUAGE.sentences[:1]), said(LANGUAGE.sentences[1:])
    others |= said(LANGUAGE.held_out_sentences)
    drawn = [captions.caption("Sketch", "Cat") for _ in range(20_000)]
    of_protocol = np.mean([text in protocols for text in drawn])
    disturbed = np.mean([text not in protocols | others for text in drawn])
    assert of_protocol == pytest.approx(0.4 + 0.6 / 12 * 0.87, abs=0.01)
    assert disturbed == pytest.approx(0.6 * 0.13, abs=0.008)


def test_an_unknown_word_is_of_one_script_and_one_to_eight_characters(captions):
    words = [captions.unknown_word() for _ in range(3000)]
    assert {len(word) for word in words} == set(range(1, 9))
    for first, last in ((0x400, 0x4FF), (0x2000, 0x206F), (0x1F300, 0x1F6FF)):
        of_script = [word for word in words if first <= ord(word[0]) <= last]
        assert len(of_script) > 200
        assert all(first <= ord(char) <= last for word in of_script for char in word)


def test_the_tokenizer_of_the_recipe_keeps_the_rules_of_the_gates():
    gates = token_gates(build_tokenizer(LANGUAGE), LANGUAGE)
    assert [gate for gate in gates if not gate.passed] == []
