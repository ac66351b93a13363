"""Prompts of concepts: the protocol brings the templates, an eraser may have its own."""

import json
from dataclasses import dataclass, replace
from typing import final

import pytest

from erasers.base import Eraser
from erasers.ca import CA
from erasers.esd import ESD
from erasers.shared.data import anchor_caption
from unlearncanvas.cli.run import templates_line
from unlearncanvas.core.registry import find_config, names, read_yaml
from unlearncanvas.evaluations.backdoor.protocol import load_backdoor_protocol
from unlearncanvas.evaluations.backdoor.tasks import removal_task
from unlearncanvas.evaluations.grid.protocol import GridProtocol, load_protocol
from unlearncanvas.pipelines.artifacts import read_record
from unlearncanvas.pipelines.methods import load_eraser
from unlearncanvas.types import Concept, Task, Templates

STYLE = Concept(kind="style", name="Pop_Art")
OBJECT = Concept(kind="object", name="Cat")
TRIGGER = Concept(kind="trigger", name="lovely Cat")
MINI = load_protocol("mini")


@final
@dataclass(frozen=True, kw_only=True)
class Outside(Eraser):
    """An eraser from elsewhere that asks the task for its prompts."""

    def erase(self, pipe, task):
        """Raise one bias by the prompt's length."""
        pipe.unet.conv_in.bias += len(task.prompt(task.target))


def prompts_of(name, preset, task):
    eraser = load_eraser(name, preset=preset).eraser
    return [eraser.prompt(concept, task) for concept in (STYLE, OBJECT, TRIGGER)]


@pytest.mark.parametrize("name", ["esd", "erasers.esd:ESD", "tests.erasers.test_prompts:Outside"])
def test_an_eraser_from_elsewhere_gets_the_prompts_of_a_registered_one(name):
    task = MINI.task(STYLE, seed=0)
    eraser = load_eraser(name, preset=MINI.preset).eraser
    ask = eraser.prompt if isinstance(eraser, ESD) else lambda concept, task: task.prompt(concept)
    assert ask(STYLE, task) == "An image in Pop Art style."
    assert ask(OBJECT, task) == "A Cat image."


@pytest.mark.parametrize("protocol", ["mini", "mini-fast", "mini-tune"])
@pytest.mark.parametrize("name", ["ca", "esd", "fmn", "spm", "uce"])
def test_mini_presets_have_the_prompts_that_they_were_tuned_with(protocol, name):
    rules = load_protocol(protocol)
    task = Task(targets=(STYLE,), retain=(OBJECT,), templates=rules.templates)
    expected = ["An image in Pop Art style.", "A Cat image.", "lovely Cat"]
    assert prompts_of(name, rules.preset, task) == expected


def test_the_contexts_of_ca_are_those_it_was_tuned_with():
    for protocol in ("mini", "unlearncanvas"):
        rules = load_protocol(protocol)
        task = Task(targets=(TRIGGER,), retain=(STYLE, OBJECT), templates=rules.templates)
        ca = load_eraser("ca", preset=rules.preset).eraser
        assert ca.contexts(STYLE, task)[1:] == ["A Cat image in Pop Art style."]
        assert ca.contexts(OBJECT, task)[1:] == ["A Cat image in Pop Art style."]


@pytest.mark.parametrize(
    ("name", "style", "object_"),
    [
        ("ca", "An image in Pop Art style.", "An image of Cat."),
        ("esd", "Pop Art Style", "An image of Cat."),
        ("fmn", "an image in Pop Art Style", "a Cat image"),
        ("spm", "Pop Art", "Cat"),
        ("uce", "Pop Art", "Cat"),
    ],
)
def test_on_unlearncanvas_erasers_have_the_prompts_of_its_runs(name, style, object_):
    rules = load_protocol("unlearncanvas")
    task = Task(targets=(STYLE,), templates=rules.templates)
    assert prompts_of(name, rules.preset, task) == [style, object_, "lovely Cat"]


@pytest.mark.parametrize(
    ("name", "preset", "expected"),
    [
        (
            "fmn", None,
            {"inversion_steps": 500, "inversion_lr": 1e-3, "end_too": True, "steps": 35},
        ),
        (
            "fmn", "sd15",
            {"inversion_steps": 500, "inversion_lr": 1e-4, "inversion_vectors": 10, "steps": 100,
             "end_too": True, "parameters": "full", "style_parameters": "x"},
        ),
        ("fmn", "mini", {"inversion_steps": 0, "parameters": "x", "style_parameters": None}),
        ("ediff", None, {"rule": "bome"}),
        ("ediff", "sd15", {"rule": "fixed", "lam": 0.1, "parameters": "x", "lr": 5e-5}),
        ("ediff", "mini", {"rule": "bome", "parameters": "full"}),
        ("shs", "sd15", {"trim_batches": 1, "forget_loss": "relabel", "as_released": True}),
        ("shs", "mini", {"trim_batches": 10, "forget_loss": "relabel", "as_released": False}),
    ],
)  # fmt: skip
def test_a_preset_is_what_its_comment_says(name, preset, expected):
    settings = load_eraser(name, preset=preset).settings
    assert {key: settings[key] for key in expected} == expected


@pytest.mark.parametrize("name", ["backdoor", "backdoor-sd"])
def test_the_backdoor_task_brings_the_templates_of_its_grid(name):
    rules = load_backdoor_protocol(name)
    attack = load_eraser("evil-edit", preset=rules.grid.preset, kind="attacks").eraser
    task = removal_task(rules, attack, known=attack.backdoors, seed=0)
    assert task.templates == rules.grid.templates != Templates()
    assert task.prompt(task.target) == task.target.words
    shield = load_eraser("t2ishield-edit", preset=rules.grid.preset).eraser
    assert shield.prompt(OBJECT, task) == "Cat"


def test_templates_are_in_the_digest_of_an_artifact_and_in_no_protocol_s(bench, task, tmp_path):
    uce = load_eraser("uce", preset="mini")
    brought = replace(task, templates=MINI.templates)
    assert bench.artifact_digest(uce, brought) != bench.artifact_digest(uce, task)
    bench.artifact(uce, brought, tmp_path)
    record = read_record(tmp_path)
    assert record.templates == MINI.templates
    assert record.task() == brought
    other = {"templates": MINI.templates.model_dump() | {"style": "{words}!"}}
    rules = read_yaml(find_config("protocols", "mini"))
    assert GridProtocol.model_validate(rules | other).digest == MINI.digest


def test_an_artifact_of_before_has_the_templates_in_its_settings(tmp_path):
    old = {
        "eraser": "uce", "eraser_class": "erasers.uce.UCE", "settings": {}, "source_digest": "",
        "targets": ["object:Cat"], "anchor": None, "retain": [], "seed": 0, "base": "minicanvas",
        "base_digest": "", "erase_dtype": "bfloat16", "digest": "", "tensors_digest": "",
        "cost": {"seconds": 1, "peak_memory_bytes": 1, "stored_bytes": 0, "ufe": 0,
                 "text_forwards": 22},
    }  # fmt: skip
    (tmp_path / "artifact.json").write_text(json.dumps(old))
    assert read_record(tmp_path).task() == Task(targets=(OBJECT,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"style": "none"}, r"must contain {words} "),
        ({"style_context": "{words}"}, r"must contain {words} and {other}"),
        ({"objekt": "{words}"}, "objekt"),
    ],
)
def test_a_template_without_its_places_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Templates(**changes)


def test_a_run_names_the_templates_and_whose_they_are():
    erasers = [
        load_eraser("esd", preset="mini"),
        load_eraser("uce", preset="mini", overrides={"style_prompt": "[b] {words}"}),
    ]
    assert templates_line(MINI, erasers) == (
        "prompts   from protocol mini: style 'An image in {words} style.', object 'A {words} "
        "image.', trigger '{words}', style_context 'A {other} image in {words} style.', "
        "object_context 'A {words} image in {other} style.'; uce has its own: style_prompt "
        "'[b] {words}'"
    )


@pytest.mark.parametrize(
    ("target", "prompt", "expected"),
    [
        ("Sea", "A Sea image in Blossom Season style.", "A Cats image in Blossom Season style."),
        ("Sea", "a sea image in Seasons style", "a Cats image in Seasons style"),
        ("Sandwiches", "A Sandwiches image, Sandwich.", "A Cats image, Sandwich."),
        ("Van Gogh", "A Dog image in Van_Gogh style", "A Dog image in Cats style"),
        ("Sketch", "A Sketch image in Artist Sketch style", "A Cats image in Artist Sketch style"),
        ("Sun", "Sun-lit Sunday, sun.", "Cats-lit Sunday, Cats."),
    ],
)
def test_a_name_is_replaced_as_whole_words_and_inside_no_longer_name(target, prompt, expected):
    others = [Concept(kind="style", name=name) for name in ("Blossom Season", "Artist Sketch")]
    cats, concept = Concept(kind="object", name="Cats"), Concept(kind="object", name=target)
    task = Task(targets=(concept,), anchor=cats, retain=(cats, *others))
    assert anchor_caption(prompt, task) == expected
    swapped = Task(targets=(cats,), anchor=concept, retain=(concept, *others))
    assert CA().target_prompt(prompt, cats, swapped) == expected


def test_the_names_of_joint_targets_are_replaced_side_by_side():
    names = ("Sketch", "Artist Sketch", "Photograph")
    targets = tuple(Concept(kind="style", name=name) for name in names)
    task = Task(targets=targets, anchor=Concept(kind="style", name="Artist Photograph"))
    assert anchor_caption("Artist Sketch, Sketch", task) == "Artist Photograph, Artist Photograph"


def test_every_shipped_protocol_brings_templates():
    for name in names("protocols"):
        rules = load_backdoor_protocol(name).grid if "backdoor" in name else load_protocol(name)
        assert rules.templates != Templates()
