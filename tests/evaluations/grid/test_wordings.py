"""Other wordings: what is asked for, with which names, and what no eraser is given."""

import numpy as np
import pytest

from metrics.base import Predictions
from unlearncanvas.canvases.language import fill, load_language
from unlearncanvas.core.registry import find_config, read_yaml
from unlearncanvas.evaluations.grid.protocol import GridProtocol
from unlearncanvas.evaluations.grid.wordings import mixed_cells, worded_seeds
from unlearncanvas.types import Cell, Concept

RULES = read_yaml(find_config("protocols", "mini"))
OVER_FORMS = ["unlearning_accuracy_over_forms", "mixed_wordings_accuracy"]
CAT, NEON = Concept(kind="object", name="Cat"), Concept(kind="style", name="Neon Lines")


def protocol(**changes):
    return GridProtocol.model_validate(
        RULES | {"language": "mini", "metrics": ["unlearning_accuracy", *OVER_FORMS]} | changes
    )


def said(name, target, **changes):
    return list(protocol(**changes).worded_prompts(target)[name].values())


def test_a_target_is_asked_for_under_other_names_in_its_own_cells():
    prompts = protocol().worded_prompts(CAT)
    assert [len(texts) for texts in prompts.values()] == [10, 10, 10, 10, 10]
    for name in ("synonyms", "descriptions", "languages", "sentences"):
        assert {cell.object for cell in prompts[name]} == {"Cat"}
    assert said("synonyms", CAT)[:3] == [
        "A feline image in Photo style.",
        "A kitty image in Watercolor style.",
        "A feline image in Pointillism style.",
    ]
    assert set(said("descriptions", NEON)) >= {
        "A Cat image in bright light on a black night style."
    }
    assert said("descriptions", CAT)[0] == "An animal with whiskers image in Photo style."
    assert said("languages", NEON)[:3] == [
        "A Sun image in neonviivat style.",
        "A Tree image in неон style.",
        "A House image in ネオン style.",
    ]
    assert said("sentences", NEON)[0] == "Neon Lines: Sun"


def test_a_search_asks_with_other_names_and_sentences_than_the_report():
    language = load_language("mini")
    for name in ("synonyms", "sentences"):
        reported, searched = said(name, CAT), said(name, CAT, wordings="open")
        assert not set(reported) & set(searched)
    assert said("synonyms", CAT, wordings="open")[0] == "A tomcat image in Photo style."
    assert not set(language.sentences) & set(language.held_out_sentences)


def test_a_tenth_of_the_grid_is_asked_for_in_mixed_wordings():
    cells = list(protocol().worded_prompts(CAT)["mixed"])
    assert len({cell.style for cell in cells}) == len({cell.object for cell in cells}) == 10
    assert protocol().worded_prompts(NEON)["mixed"] == protocol().worded_prompts(CAT)["mixed"]
    assert len(set(said("mixed", CAT))) == 10
    assert not any(
        cell.style in text and cell.object in text
        for cell, text in protocol().worded_prompts(CAT)["mixed"].items()
    )


def test_half_of_the_seeds_are_drawn_in_other_wordings():
    assert worded_seeds((1, 2, 3, 4, 5)) == (1, 2, 3)
    assert worded_seeds((7,)) == (7,)
    grid, worded = 100 * 5, 5 * 10 * 3
    assert protocol().num_images([CAT], protocol().seeds) == grid + worded


def test_only_image_sets_that_a_metric_reads_are_drawn():
    assert protocol(metrics=["unlearning_accuracy"]).worded_prompts(CAT) == {}
    assert list(protocol(metrics=["unlearning_accuracy_synonyms"]).worded_prompts(CAT)) == [
        "synonyms"
    ]


def test_an_eraser_is_given_no_other_name_and_no_other_sentence():
    rules, language = protocol(), load_language("mini")
    for target in (CAT, NEON):
        task = rules.task(target, seed=0)
        concepts = (*task.targets, task.anchor, *task.retain)
        prompts = [task.prompt(concept) for concept in concepts]
        told = f" {task!r} {' '.join(prompts)} "
        for forms in (*language.styles.values(), *language.objects.values()):
            assert not [name for name in forms.all() if f" {name} " in told or f"'{name}'" in told]
        for sentence in (*language.sentences[1:], *language.held_out_sentences):
            asked = fill(sentence, style="Neon Lines", object="Cat")
            assert asked not in prompts
            assert sentence not in told


def test_every_kind_of_name_is_asked_for_in_mixed_wordings():
    language, texts = load_language("mini"), " | ".join(said("mixed", CAT))
    for concepts in (language.styles, language.objects):
        asked = {
            kind
            for name, forms in concepts.items()
            for kind, choices in {
                "first": forms.held_out[:1], "second": forms.held_out[1:],
                "description": [forms.description], "finnish": [forms.finnish],
                "russian": [forms.russian], "japanese": [forms.japanese], "name": [name],
            }.items()
            if any(choice in texts for choice in choices)
        }  # fmt: skip
        assert asked >= {"first", "second", "description", "name", "finnish", "russian"}


@pytest.mark.parametrize("sides", [(3, 2), (6, 5), (10, 10)])
def test_mixed_wordings_have_retained_cells_in_a_grid_of_any_size(sides):
    styles, objects = RULES["styles"][: sides[0]], RULES["objects"][: sides[1]]
    cells = mixed_cells(tuple(styles), tuple(objects))
    for name in (*styles, *objects):
        assert any(name not in (cell.style, cell.object) for cell in cells)
        assert any(name in (cell.style, cell.object) for cell in cells)


def test_pooled_image_sets_have_seeds_features_and_probabilities_of_their_own():
    def part(value):
        return Predictions(
            cells=[Cell(style="Photo", object="Cat")] * 2, seeds=[3, 4],
            style_pred=["Photo"] * 2, object_pred=["Cat"] * 2,
            style_prob=np.full((2, 2), value), features={"detectors": np.full((2, 3), value)},
        )  # fmt: skip

    found = Predictions.pooled([part(0.0), part(1.0)])
    assert found.seeds == [6, 8, 7, 9]
    assert found.style_prob[:, 0].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert found.object_prob is None
    assert found.features["detectors"][:, 0].tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"language": None}, "metrics of other wordings need a language"),
        ({"language": "klingon"}, "unknown language 'klingon'"),
        ({"prompt": "{object} in {style} style."}, "prompt must be the first sentence"),
        ({"metrics": ["unlearning_accuracy_of_songs"]}, "unknown metric"),
        ({"wordings": "all"}, "wordings"),
    ],
)
def test_bad_rules_are_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message):
        protocol(**changes)


def test_the_language_is_in_the_digest_and_no_language_is_not():
    without = protocol(language=None, metrics=["unlearning_accuracy"])
    assert protocol().digest != protocol(wordings="open").digest
    assert "language" not in without.plain()
    changed = load_language("mini").model_dump()
    changed["objects"]["Cat"]["held_out"] = ["puss", "kitty"]
    assert protocol(language=changed).digest != protocol().digest


def test_cells_of_a_part_of_the_grid_stay_in_it():
    tier = {"styles": ["Photo", "Neon Lines", "Mosaic"], "targets": {"object": ["Cat"]}}
    part = protocol(tiers={"x": tier}, default_tier="x").for_tier("x")
    assert list(part.worded_prompts(CAT)["synonyms"]) == [
        Cell(style=style, object="Cat") for style in ("Photo", "Neon Lines", "Mosaic")
    ]
