"""The protocol file is checked, and its digest covers what changes a pixel or a score."""

import pytest
import yaml

from unlearncanvas.config import find_config, read_yaml
from unlearncanvas.protocol import Protocol, load_protocol
from unlearncanvas.types import Concept

RULES = read_yaml(find_config("protocols", "mini"))


def changed(**changes):
    return Protocol.model_validate(RULES | changes)


def test_mini_is_what_its_documentation_says():
    protocol = load_protocol("mini")
    assert (len(protocol.styles), len(protocol.objects), len(protocol.cells())) == (10, 10, 100)
    assert protocol.seeds == (188, 288, 588, 688, 888)
    assert "Photo" not in protocol.targets.style
    assert protocol.default_tier == "quick"


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "{article} {object} in {style}."},
        {"seeds": [1]},
        {"sampler": RULES["sampler"] | {"guidance_scale": 5.0}},
        {"sampler": RULES["sampler"] | {"batch_size": 7}},
        {"metrics": RULES["metrics"][:2]},
        {"erase_dtype": "float32"},
        {"reference": {"split": "gate"}},
    ],
)
def test_what_changes_a_pixel_or_a_score_changes_the_digest(changes):
    assert changed(**changes).digest != changed().digest


@pytest.mark.parametrize(
    "changes", [{"title": "other"}, {"name": "other"}, {"tiers": RULES["tiers"] | {"x": {}}}]
)
def test_tiers_and_names_do_not(changes):
    assert changed(**changes).digest == changed().digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"typo": 1}, "typo"),
        ({"plain_style": "Foto"}, "did you mean Photo"),
        ({"targets": {"style": ["Photo"]}}, "unknown style 'Photo'"),
        ({"targets": {"object": ["Dog"]}}, "unknown object 'Dog'"),
        ({"default_tier": "none"}, "unknown tier"),
        ({"sampler": RULES["sampler"] | {"num_inference_steps": 0}}, "num_inference_steps"),
        ({"sampler": RULES["sampler"] | {"num_inference_steps": 1001}}, "num_inference_steps"),
        ({"tiers": {"quick": {"styles": ["Photo", "Sktch"]}}}, "did you mean Sketch"),
        (
            {"tiers": {"quick": {"objects": ["Sun", "Cat"]}}},
            "forgets object:Tree and does not draw",
        ),
        (
            {"tiers": {"quick": {"targets": {"style": ["Sketch"]}, "styles": ["Photo", "Sketch"]}}},
            "no style that could be retained",
        ),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, changes, message):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(RULES | changes))
    with pytest.raises(ValueError, match=message) as caught:
        load_protocol(str(path))
    assert "\n" not in str(caught.value)


def test_every_eraser_is_told_the_same():
    protocol = load_protocol("mini")
    style = protocol.task(Concept(kind="style", name="Sketch"), seed=1)
    assert style.anchor == Concept(kind="style", name="Photo")
    assert len(style.retain) == 19
    last = protocol.task(Concept(kind="object", name="Bottle"), seed=1)
    assert last.anchor == Concept(kind="object", name="Sun")


def test_targets_are_found_however_they_are_spelt():
    protocol = load_protocol("mini")
    expected = Concept(kind="style", name="Pop Art")
    for text in ("Pop Art", "pop_art", "style:Pop Art", " POP ART "):
        assert protocol.find_target(text) == expected
    with pytest.raises(ValueError, match="did you mean Pop Art"):
        protocol.find_target("Popart")


def test_articles():
    protocol = changed(objects=["Apple", *RULES["objects"]])
    assert protocol.ask(protocol.cells()[0]) == "An Apple image in Photo style."
