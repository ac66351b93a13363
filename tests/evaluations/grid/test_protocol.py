"""The protocol file is checked, and its digest covers what changes a pixel or a score."""

import pytest
import yaml

from unlearncanvas.core.registry import find_config, names, read_yaml
from unlearncanvas.engine.protocols import load_any
from unlearncanvas.evaluations.backdoor.protocol import load_backdoor_protocol
from unlearncanvas.evaluations.grid.protocol import GridProtocol, load_protocol
from unlearncanvas.types import Cell, Concept

RULES = read_yaml(find_config("protocols", "mini")) | {
    "language": None,
    "metrics": ["unlearning_accuracy", "in_domain_retain_accuracy", "fid_minicanvas"],
}
"""Of mini, without its language: any prompt and any concept will do."""


def changed(**changes):
    return GridProtocol.model_validate(RULES | changes)


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


def test_a_changed_copy_has_a_digest_of_its_own():
    protocol, backdoor = load_protocol("mini"), load_backdoor_protocol("backdoor")
    for rules, changes in ((protocol, {"seeds": (1,)}), (backdoor, {"inject_seed": 99})):
        before = rules.digest
        assert rules.model_copy(update=changes).digest != before
        assert rules.digest == before
    copy = backdoor.model_copy(update={"grid": protocol.model_copy(update={"seeds": (1,)})})
    assert copy.digest != backdoor.digest


def test_keys_of_before_are_read_and_mean_the_same(tmp_path):
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    rest = "base: mini\ntargets: {style: [Mosaic]}\ntiers: {quick: {}}\n"
    old.write_text(f"{rest}plain_style: Pop Art\nretain_every: 2\n")
    new.write_text(f"{rest}reference_style: Pop Art\nretain_stride: 2\n")
    before, now = (load_protocol(str(path)) for path in (old, new))
    assert (before.reference_style, before.retain_stride) == ("Pop Art", 2)
    assert before == now
    assert before.digest == now.digest != load_protocol("mini").digest


@pytest.mark.parametrize(
    "changes", [{"title": "other"}, {"name": "other"}, {"tiers": RULES["tiers"] | {"x": {}}}]
)
def test_tiers_and_names_do_not(changes):
    assert changed(**changes).digest == changed().digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"typo": 1}, "typo"),
        ({"reference_style": "Foto"}, "did you mean Photo"),
        ({"targets": {"style": ["Photo"]}}, "unknown style 'Photo'"),
        ({"targets": {"object": ["Dog"]}}, "unknown object 'Dog'"),
        ({"default_tier": "none"}, "unknown tier"),
        ({"retain_stride": 11}, "retain_stride 11 leaves concepts without a cell"),
        ({"variants": {"esd": {"sampler": {"height": 32}}}}, "unknown sampler setting of esd"),
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


def test_a_base_gives_what_a_file_does_not_say(tmp_path):
    path = tmp_path / "fast.yaml"
    path.write_text("base: mini\nname: mine\nsampler: {num_inference_steps: 3}\n")
    mine, mini = load_protocol(str(path)), load_protocol("mini")
    assert mine.sampler == mini.sampler.model_copy(update={"num_inference_steps": 3})
    assert (mine.styles, mine.detectors, mine.name) == (mini.styles, mini.detectors, "mine")
    assert mine.digest != mini.digest


DIGESTS = {
    "mini": "63b34c6b12fe",
    "mini-fast": "234ae047207a",
    "mini-tune": "ae26d6e4f1de",
    "unlearncanvas": "43fbca573a42",
    "unlearncanvas-fast": "e557fbf1d444",
    "unlearncanvas-official": "a9b8ef73ea4d",
    "backdoor": "8b82ce351a35",
    "backdoor-sd": "45fc243e9708",
}


@pytest.mark.parametrize("name", names("protocols"))
def test_the_digest_of_every_shipped_protocol_is_pinned(name):
    """Results that are published name these: a change makes another protocol."""
    assert load_any(name).digest[:12] == DIGESTS[name]


def test_the_whole_of_unlearncanvas_has_357_000_images():
    protocol = load_protocol("unlearncanvas")
    assert protocol.num_images(protocol.tier_targets("full"), protocol.tier_seeds("full")) == 357000


def test_a_thinned_grid_keeps_the_target_whole_and_every_concept():
    protocol = changed(retain_stride=4)
    for target in protocol.targets.concepts():
        cells = protocol.cells_for(target)
        assert sum(target.name in (cell.style, cell.object) for cell in cells) == 10
        assert {cell.style for cell in cells} == set(protocol.styles)
        assert {cell.object for cell in cells} == set(protocol.objects)
        assert len(cells) < 36
    assert protocol.digest != changed().digest


PHOTO, GOGH = Cell(style="Photo", object="Architectures"), Cell(style="Van Gogh", object="Cats")


@pytest.mark.parametrize(
    ("eraser", "photo", "gogh"),
    [
        ("none", "A Architectures image in Photo style.", "A Cats image in Van Gogh style."),
        ("esd", "A Architectures image in Seed Images style.", "A Cats image in Van Gogh style."),
        ("fmn", "A Architectures image in Seed_Images style", "A Cats image in Van_Gogh style"),
    ],
)
def test_the_release_asked_each_method_in_its_own_way(eraser, photo, gogh):
    protocol = load_protocol("unlearncanvas-official").for_eraser(eraser)
    assert (protocol.ask(PHOTO), protocol.ask(GOGH)) == (photo, gogh)


def test_the_release_sampled_each_method_in_its_own_way():
    """unlearncanvas.md, section 3b."""
    protocol = load_protocol("unlearncanvas-official")
    found = {
        name: protocol.for_eraser(name).sampler
        for name in ("esd", "ca", "uce", "fmn", "spm", "seot")
    }
    for name in ("esd", "ca"):
        assert (found[name].scheduler, found[name].noise) == ("DDIMScheduler", "run")
    assert (found["uce"].scheduler, found["uce"].noise) == ("LMSDiscreteScheduler", "image")
    assert (found["fmn"].scheduler, found["fmn"].noise) == ("PNDMScheduler", "run")
    assert (found["spm"].guidance_scale, found["esd"].guidance_scale) == (7.5, 9.0)
    assert found["spm"].negative_prompt.startswith("bad anatomy,watermark,")
    assert (found["seot"].num_inference_steps, found["esd"].num_inference_steps) == (50, 100)


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
