"""Other wordings: what is asked for, with which names, and what no eraser is given."""

import pytest

from unlearncanvas.canvases.language import load_language
from unlearncanvas.core.registry import find_config, read_yaml
from unlearncanvas.evaluations.grid.protocol import GridProtocol
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
        "A Sun image in Leuchtschrift style.",
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
    assert protocol().worded_seeds((1, 2, 3, 4, 5)) == (1, 2, 3)
    assert protocol().worded_seeds((7,)) == (7,)
    grid, worded = 100 * 5, 5 * 10 * 3
    assert protocol().num_images([CAT], protocol().seeds) == grid + worded


def test_only_image_sets_that_a_metric_reads_are_drawn():
    assert protocol(metrics=["unlearning_accuracy"]).worded_prompts(CAT) == {}
    assert list(protocol(metrics=["unlearning_accuracy_synonyms"]).worded_prompts(CAT)) == [
        "synonyms"
    ]


def test_an_eraser_is_given_no_other_name_and_no_other_sentence():
    rules, language = protocol(), load_language("mini")
    task = rules.task(CAT, seed=0)
    text = " ".join(
        [repr(task), *(task.prompt(concept) for concept in (*task.targets, *task.retain))]
    )
    for forms in language.objects.values():
        assert not [name for name in forms.all() if f"'{name}'" in text or f" {name} " in text]
    assert not [item for item in language.held_out_sentences if item in text]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"language": None}, "metrics of other wordings need a language"),
        ({"language": "klingon"}, "unknown language 'klingon'"),
        ({"prompt": "{article} {object} image in {theme} style."}, "may hold style, object"),
        ({"wordings": "all"}, "wordings"),
    ],
)
def test_bad_rules_are_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message):
        protocol(**changes)


def test_the_language_is_in_the_digest_and_no_language_is_not():
    without = GridProtocol.model_validate(RULES)
    assert protocol().digest != protocol(wordings="open").digest
    assert "language" not in without.plain()
    changed = load_language("mini").model_dump()
    changed["objects"]["Cat"]["held_out"] = ["puss"]
    assert protocol(language=changed).digest != protocol().digest


def test_cells_of_a_part_of_the_grid_stay_in_it():
    tier = {"styles": ["Photo", "Neon Lines", "Mosaic"], "targets": {"object": ["Cat"]}}
    part = protocol(tiers={"x": tier}, default_tier="x").for_tier("x")
    assert list(part.worded_prompts(CAT)["synonyms"]) == [
        Cell(style=style, object="Cat") for style in ("Photo", "Neon Lines", "Mosaic")
    ]
