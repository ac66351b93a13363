"""What the gates of the mini canvas ask for, and how they judge the answers."""

import io
from collections import Counter

import numpy as np
import pytest
import torch
from rich.console import Console

from unlearncanvas.canvases.detectors import Detections
from unlearncanvas.canvases.language import Language, load_language
from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.mini.architecture import build_tokenizer
from unlearncanvas.canvases.mini.canvas_data import Painted
from unlearncanvas.canvases.mini.gates import command
from unlearncanvas.canvases.mini.gates.answers import (
    Answer,
    alone_gate,
    answer_gates,
    empty_gate,
    form_shares,
    kind_gate,
    worst_cell_gate,
    worst_forms_gate,
)
from unlearncanvas.canvases.mini.gates.drawing import Drawn, answers, draw_and_look
from unlearncanvas.canvases.mini.gates.gate import Gate, to_markdown, to_table
from unlearncanvas.canvases.mini.gates.measure import size_gate, time_gate
from unlearncanvas.canvases.mini.gates.pixels import recognition_gate
from unlearncanvas.canvases.mini.gates.prompts import (
    FIRST_SEED,
    FORM_KINDS,
    UNKNOWN_WORDS,
    alone,
    ask,
    beyond_grid,
    grid,
    nothing,
    other_names,
    other_sentences,
    shuffled,
    with_unknown_word,
)
from unlearncanvas.canvases.mini.gates.tokens import (
    case_gate,
    description_gate,
    disjoint_gate,
    length_gate,
)
from unlearncanvas.canvases.mini.progress import progress_bar
from unlearncanvas.core.registry import find_config, names, read_yaml
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.types import Cell

MINI = load_language("mini")
SUN = {"synonyms": ["daystar"], "held_out": ["sol"], "description": "bright ball with rays",
       "finnish": "aurinko", "russian": "солнце", "japanese": "太陽"}  # fmt: skip
BOAT = {"synonyms": ["yacht"], "held_out": ["dinghy"], "description": "vessel in the wind",
        "finnish": "purjevene", "russian": "парусник", "japanese": "帆船"}  # fmt: skip
ART = {"synonyms": ["doodle"], "held_out": ["graphite"], "description": "gray strokes",
       "finnish": "luonnos", "russian": "эскиз", "japanese": "素描"}  # fmt: skip


def tiny(**concepts):
    """A language of one style and two objects, or of others."""
    return Language.model_validate(
        {
            "sentences": ["{article} {object} image in {style} style.", "{object}, {style}"],
            "held_out_sentences": ["{style}: {object}"],
            "style_sentences": ["An image in {style} style.", "{style}"],
            "object_sentences": ["{article} {object} image.", "{object}"],
            "styles": {"Sketch": ART},
            "objects": {"Sun": SUN, "Sail Boat": BOAT},
        }
        | concepts
    )


def prompts(asked):
    return [item.request.prompt for item in asked]


def answered(style="Sketch", obj="Sun", *, cell=("Sketch", "Sun"), said=None, times=1, kind="any"):
    """Images asked for as ``cell`` that show ``style`` and ``obj``."""
    asked = Cell(style=cell[0], object=cell[1])
    words = None if said is None else Cell(style=said[0], object=said[1])
    seen = Cell(style=style, object=obj)
    return [Answer(ask(kind, asked, 0, "a prompt", said=words), seen)] * times


def test_the_grid_asks_for_twenty_images_of_every_cell_in_the_protocols_sentence():
    asked = grid(MINI)
    protocol = load_protocol("mini")
    assert len(asked) == 144 * 20
    assert set(Counter(item.request.cell for item in asked).values()) == {20}
    assert all(item.request.prompt == protocol.ask(item.request.cell) for item in asked)


def test_every_form_of_every_concept_is_asked_for_sixty_times():
    asked = list(other_names(MINI))
    assert {item.kind for item in asked} == set(FORM_KINDS)
    said = Counter(
        (item.request.cell.name(domain), item.said.name(domain))
        for item in asked
        for domain in ("style", "object")
    )
    assert set(said.values()) == {60}
    assert said.keys() == {
        (name, form)
        for concepts in (MINI.styles, MINI.objects)
        for name, forms in concepts.items()
        for form in forms.all()
    }


def test_a_form_is_said_in_the_protocols_sentence_with_one_of_its_kind():
    assert sorted(set(prompts(other_names(tiny())))) == sorted([
        "A daystar image in doodle style.",
        "A sol image in graphite style.",
        "A bright ball with rays image in gray strokes style.",
        "An aurinko image in luonnos style.",
        "A солнце image in эскиз style.",
        "A 太陽 image in 素描 style.",
        "A yacht image in doodle style.",
        "A dinghy image in graphite style.",
        "A vessel in the wind image in gray strokes style.",
        "A purjevene image in luonnos style.",
        "A парусник image in эскиз style.",
        "A 帆船 image in 素描 style.",
    ])  # fmt: skip


def test_every_concept_is_asked_for_twice_in_every_other_sentence():
    assert sorted(prompts(other_sentences(tiny()))) == [
        "Sail Boat, Sketch",
        "Sketch: Sail Boat",
        "Sketch: Sun",
        "Sun, Sketch",
    ]
    asked = list(other_sentences(MINI))
    assert len(asked) == 11 * 24
    for domain in ("style", "object"):
        assert set(Counter(item.request.cell.name(domain) for item in asked).values()) == {22}


def test_shuffled_words_are_the_words_of_the_protocols_sentence():
    for item in shuffled(MINI):
        words = load_protocol("mini").ask(item.request.cell).split()
        assert sorted(item.request.prompt.split()) == sorted(words)
    changed = [item.request.prompt[:2] not in {"A ", "An"} for item in shuffled(MINI)]
    assert len(changed) == 144
    assert np.mean(changed) > 0.7


def test_every_unknown_word_is_before_amid_and_after_the_words_of_every_concept():
    asked = list(with_unknown_word(MINI))
    for word in UNKNOWN_WORDS:
        places = {0: set(), 3: set(), -1: set()}
        for item in asked:
            words = item.request.prompt.split(" ")
            if word in words:
                place = words.index(word)
                place = place if place == 0 else -1 if place == len(words) - 1 else 3
                places[place].add(item.request.cell)
        for cells in places.values():
            assert {cell.style for cell in cells} == set(MINI.styles)
            assert {cell.object for cell in cells} == set(MINI.objects)
    assert prompts(asked)[0] == "blorptang A Sun image in Photo style."
    assert prompts(asked)[12] == "A Tree image blorptang in Photo style."
    assert prompts(asked)[24] == "A House image in Photo style. blorptang"


def test_a_concept_alone_is_asked_for_without_the_other():
    assert prompts(alone(tiny())) == [
        "An image in Sketch style.",
        "A Sun image.",
        "An image in Sketch style.",
        "A Sail Boat image.",
    ]


def test_the_empty_prompt_is_asked_for_500_times():
    assert prompts(nothing(tiny())) == [""] * 500


def test_no_image_is_drawn_twice_and_no_seed_is_a_protocols():
    asked = [*grid(MINI), *beyond_grid(MINI)]
    assert len({(item.kind, item.request) for item in asked}) == len(asked) == 2880 + 6380
    assert min(item.request.seed for item in asked) == FIRST_SEED
    for name in names("protocols"):
        plain = read_yaml(find_config("protocols", name))
        last = max(0, *plain.get("seeds", ()), plain.get("first_seed", 0) + 1000)
        assert last < FIRST_SEED


def test_a_kind_passes_where_style_and_object_each_keep_the_limit():
    right = answered(times=97)
    assert kind_gate(right + answered("Photo", times=3), "synonyms", 0.97) == Gate(
        "synonyms, 100 images", ">= 97 % each", "style 97.00 %, object 100.00 %", True
    )
    assert not kind_gate(right + answered("Photo", times=4), "synonyms", 0.97).passed
    assert not kind_gate(right + answered(obj="Cat", times=4), "synonyms", 0.97).passed


def test_the_worst_cell_is_that_where_both_are_right_least_often():
    fair = answered(times=4) + answered("Photo")
    worse = answered("Sketch", "Cat", cell=("Sketch", "Cat"), times=3)
    worse += answered("Sketch", "Sun", cell=("Sketch", "Cat"))
    assert worst_cell_gate(fair).passed
    gate = worst_cell_gate(fair + worse)
    assert (gate.found, gate.passed) == ("75.00 % (Cat in Sketch)", False)


def test_a_form_counts_the_images_of_its_own_concept_only():
    named = answered("Photo", times=1, said=("doodle", "daystar"))
    named += answered(times=3, said=("doodle", "daystar")) + answered(times=2)
    assert form_shares(named) == {
        "Sketch as 'doodle'": 0.75,
        "Sun as 'daystar'": 1.0,
        "Sketch as 'Sketch'": 1.0,
        "Sun as 'Sun'": 1.0,
    }


def test_the_worst_three_forms_are_named_and_the_worst_decides():
    fair = answered(times=17, said=("doodle", "sol")) + answered(
        "Photo", times=3, said=("doodle", "sol")
    )
    gate = worst_forms_gate(fair + answered())
    assert gate.passed
    assert gate.name == "worst of 4 forms"
    assert gate.found.startswith("Sketch as 'doodle' 85.00 %, ")
    assert gate.found.count(" as ") == 3
    assert not worst_forms_gate(fair + answered("Photo", said=("doodle", "sol"))).passed


def test_the_empty_prompt_may_draw_a_concept_three_times_its_share():
    spread = [Answer(item, Cell(style=f"s{n % 4}", object=f"o{n % 5}"))
              for n, item in enumerate(nothing(tiny()))]  # fmt: skip
    gate = empty_gate(spread)
    assert (gate.wanted, gate.passed) == ("each <= 25.00 %", True)
    assert gate.found == "s0 25.00 %, o0 20.00 %"
    favored = Answer(spread[1].asked, Cell(style="s0", object="o1"))
    assert not empty_gate([favored if n == 1 else item for n, item in enumerate(spread)]).passed
    objects = [Answer(item.asked, Cell(style=f"s{n % 5}", object=f"o{n % 3}"))
               for n, item in enumerate(spread)]  # fmt: skip
    assert not empty_gate(objects).passed


def test_a_concept_alone_is_gated_and_the_other_domain_is_reported():
    seen = answered("Sketch", "Sun", times=74) + answered("Photo", "Sun", times=23)
    with_cats = seen + answered("Photo", "Cat", times=3)
    gate = alone_gate(with_cats, "an object alone", "object", "style")
    assert gate.found == "97.00 %; styles: Sketch 74 %, Photo 26 %"
    assert gate.passed
    assert not alone_gate(seen + answered(obj="Cat", times=4), "x", "object", "style").passed


def test_a_model_that_draws_what_it_is_asked_misses_nothing_and_a_blind_one_everything():
    asked = [*grid(MINI), *beyond_grid(MINI)]
    perfect = answer_gates([Answer(item, item.request.cell) for item in asked])
    assert [gate.name for gate in perfect if not gate.passed] == []
    blind = answer_gates([Answer(item, Cell(style="Photo", object="Sun")) for item in asked])
    assert [gate.name for gate in blind if gate.passed] == []
    assert len(perfect) == len(blind) == 9 + 5


def test_answers_are_the_most_probable_names():
    asked = answered()[0].asked
    found = Detections(
        np.array([[0.1, 0.9], [0.8, 0.2]], np.float32),
        np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]], np.float32),
        {},
    )
    assert answers([asked, asked], found, ("Photo", "Sketch"), ("Sun", "Tree", "Cat")) == [
        Answer(asked, Cell(style="Sketch", object="Cat")),
        Answer(asked, Cell(style="Photo", object="Tree")),
    ]


def test_drawing_looks_at_every_image_and_the_bar_ends_full(pipe):
    protocol = load_protocol("mini")
    sampler = protocol.sampler.model_copy(
        update={"num_inference_steps": 2, "batch_size": 2, "dtype": "float32"}
    )
    asked = grid(tiny())[:3]
    with progress_bar(Console(file=io.StringIO())) as progress:
        detectors = load_detectors(protocol.detectors)
        drawn = draw_and_look(pipe, asked, sampler, detectors, title="grid", progress=progress)
        assert (progress.tasks[0].completed, progress.tasks[0].total) == (3, 3)
    assert [answer.asked for answer in drawn.answers] == asked
    assert drawn.detections.features["detectors"].shape == (3, 256)
    assert drawn.seconds > 0


def test_case_is_seen_by_a_tokenizer_that_keeps_it():
    language = tiny()
    tokenizer = build_tokenizer(language)
    assert case_gate(tokenizer, language).passed
    tokenizer.backend_tokenizer.normalizer = None
    found = case_gate(tokenizer, language)
    assert not found.passed
    assert "Sketch" in found.found
    assert "太陽" not in found.found


@pytest.mark.parametrize(
    ("changes", "offending"),
    [
        ({}, "none"),
        ({"held_out": ["sailing boat"]}, "Sail Boat"),
        ({"finnish": "boat"}, "Sail Boat"),
        ({"japanese": "sail"}, "Sail Boat"),
    ],
)
def test_two_synonyms_and_every_foreign_word_share_no_token_with_the_name(changes, offending):
    language = tiny(objects={"Sun": SUN, "Sail Boat": BOAT | changes})
    gate = disjoint_gate(build_tokenizer(language), language)
    assert (gate.found, gate.passed) == (offending, offending == "none")


def test_one_synonym_of_three_may_share_a_token_with_the_name():
    two = {"Sketch": ART | {"held_out": ["graphite", "scribble"]},
           "Sun": SUN | {"held_out": ["sol", "sunlight"]},
           "Sail Boat": BOAT | {"held_out": ["sailing boat", "dinghy"]}}  # fmt: skip
    styles, objects = {"Sketch": two.pop("Sketch")}, two
    language = tiny(styles=styles, objects=objects)
    assert disjoint_gate(build_tokenizer(language), language).passed


def test_a_third_of_the_names_are_two_tokens_or_more():
    language = tiny()
    gate = length_gate(build_tokenizer(language), language)
    assert (gate.found, gate.passed) == ("1 of 3", True)
    longer = tiny(objects={"Sun": SUN})
    assert not length_gate(build_tokenizer(longer), longer).passed


def test_a_description_holds_no_name_in_any_case():
    assert description_gate(tiny()).passed
    for text in ("the sun", "a DayStar", "aurinkoinen", "absolute"):  # "sol" is a name
        gate = description_gate(tiny(objects={"Sun": SUN | {"description": text}}))
        assert (gate.found, gate.passed) == ("Sun", False)


def test_painted_images_pass_at_99_percent():
    data = Painted(
        torch.zeros(100, 3, 1, 1, dtype=torch.uint8),
        torch.zeros(100, dtype=torch.long),
        torch.zeros(100, dtype=torch.long),
    )

    def found(num_wrong):
        style_prob = np.tile(np.float32([0.9, 0.1]), (100, 1))
        style_prob[:num_wrong] = 0.1, 0.9
        return Detections(style_prob, np.tile(np.float32([0.9, 0.1]), (100, 1)), {})

    gate = recognition_gate("painted", found(1), data)
    assert (gate.found, gate.passed) == ("style 99.00 %, object 100.00 %", True)
    assert not recognition_gate("painted", found(2), data).passed


def test_time_is_that_of_one_image():
    drawn = Drawn(answered(times=50), Detections(np.empty(0), np.empty(0), {}), 5.0)
    gate = time_gate(drawn, torch.device("cpu"))
    assert gate.found == f"100 ms, cores: {torch.get_num_threads()}"
    assert gate.passed
    assert not time_gate(drawn._replace(seconds=5.1), torch.device("cpu")).passed


def test_the_size_is_that_of_the_folder_and_the_detectors(tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "weights").write_bytes(bytes(16_000_000))
    assert size_gate(tmp_path) == Gate("all weights", "<= 20 MB", "19.4 MB", True)
    (tmp_path / "more").write_bytes(bytes(1_000_000))
    assert not size_gate(tmp_path).passed


def test_gates_are_a_table_in_the_terminal_and_in_markdown():
    gates = [Gate("time", "<= 100 ms", "80 ms", True), Gate("size", "<= 20 MB", "21 MB", False)]
    assert to_markdown(gates) == (
        "| gate | wanted | found |  |\n"
        "| --- | --- | --- | --- |\n"
        "| time | <= 100 ms | 80 ms | pass |\n"
        "| size | <= 20 MB | 21 MB | MISS |\n"
    )
    console = Console(file=io.StringIO(), width=100)
    console.print(to_table(gates))
    assert console.file.getvalue().count("MISS") == 1


def test_the_language_is_printed_with_every_form_and_sentence(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    command.main(language=True)
    printed = capsys.readouterr().out
    for name, forms in (MINI.styles | MINI.objects).items():
        assert all(form in printed for form in (name, *forms.all()))
    for sentence in (*MINI.sentences, *MINI.held_out_sentences, *MINI.object_sentences):
        assert sentence in printed


def test_no_word_of_the_language_is_cut_in_a_terminal_of_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    command.main(language=True)
    printed = capsys.readouterr().out
    words = " ".join([*MINI.styles["Crayon"].all(), *MINI.styles["Pointillism"].all()]).split()
    assert all(word in printed for word in words)
    assert "…" not in printed
