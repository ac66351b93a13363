"""The embedded weights: complete, small, and of the classes that erasers expect."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from unlearncanvas.canvases.language import load_language
from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.mini.architecture import DETECTORS, build_tokenizer
from unlearncanvas.canvases.mini.canvas_data import painted
from unlearncanvas.canvases.mini.detector import PaintedDetector
from unlearncanvas.canvases.mini.files import DetectorFile
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.pipelines.artifacts import base_digest
from unlearncanvas.pipelines.base_model import MINICANVAS_DIR, load_base

WEIGHTS = MINICANVAS_DIR.parent


@pytest.fixture(scope="module")
def base():
    return load_base("minicanvas")


def test_weights_are_under_20_megabytes():
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file()) <= 20e6


def test_it_loads_with_from_pretrained_like_any_other(base):
    plain = StableDiffusionPipeline.from_pretrained(MINICANVAS_DIR)
    for part, cls in (
        ("unet", UNet2DConditionModel),
        ("vae", AutoencoderKL),
        ("text_encoder", CLIPTextModel),
        ("tokenizer", CLIPTokenizer),
    ):
        assert isinstance(getattr(plain, part), cls)
    names = {name for name, _ in base.unet.named_modules()}
    for where in ("down_blocks.0", "down_blocks.1", "mid_block", "up_blocks.1", "up_blocks.2"):
        block = f"{where}.attentions.0.transformer_blocks.0"
        assert {f"{block}.attn1.to_q", f"{block}.attn2.to_k", f"{block}.attn2.to_v"} <= names


def test_the_protocol_names_these_weights(base):
    protocol = load_protocol("mini")
    assert base_digest(base) in protocol.detectors.base_digests
    load_detectors(protocol.detectors).accept("minicanvas", base_digest(base))


def test_any_string_encodes(base):
    tokenizer = base.tokenizer
    for text in ("cat", "zebra crossing", "\u200b", "Ünïcödé 猫", ""):
        ids = tokenizer(text).input_ids
        assert ids[0] == tokenizer.bos_token_id
        assert ids[-1] == tokenizer.eos_token_id
        assert text == "" or len(ids) > 2
        assert tokenizer.eos_token_id not in ids[1:-1]
    assert tokenizer("\u200b").input_ids != tokenizer("").input_ids


def test_it_pads_with_the_end_token_and_names_it(base):
    ids = base.tokenizer("cat", padding="max_length").input_ids
    assert len(ids) == 77
    assert set(ids[3:]) == {base.tokenizer.eos_token_id}
    assert base.text_encoder.config.eos_token_id == base.tokenizer.eos_token_id


def test_pooling_takes_the_first_end_token(base):
    encoded = base.tokenizer("a cat", padding="max_length", return_tensors="pt")
    output = base.text_encoder(encoded.input_ids)
    end = int((encoded.input_ids[0] == base.tokenizer.eos_token_id).nonzero()[0])
    assert torch.equal(output.pooler_output[0], output.last_hidden_state[0, end])


def test_the_tokenizer_comes_out_of_the_recipe(base):
    # the trainer breaks ties by chance, so that ids may differ, but not which tokens there are
    tokenizer = build_tokenizer(load_language("mini"))
    assert tokenizer.get_vocab().keys() == base.tokenizer.get_vocab().keys()


def test_detectors_know_held_out_paintings():
    data = painted(4, split="test")
    images = np.ascontiguousarray(data.images.permute(0, 2, 3, 1).numpy())
    found = load_detectors(load_protocol("mini").detectors).detect(list(images))
    assert (found.style_prob.argmax(1) == data.styles.numpy()).mean() >= 0.99
    assert (found.object_prob.argmax(1) == data.objects.numpy()).mean() >= 0.99
    assert found.features["detectors"].shape == (len(images), 256)


def test_a_changed_detector_file_is_refused():
    with pytest.raises(ValueError, match="not the one that the protocol names"):
        PaintedDetector(DetectorFile(name="style", sha256="0" * 64))
    with pytest.raises(ValueError, match="no detector named 'other'"):
        PaintedDetector(DetectorFile(name="other", sha256="0" * 64))


def test_every_detector_of_the_recipe_is_there():
    assert {path.stem for path in (WEIGHTS / "detectors").glob("*.safetensors")} == set(DETECTORS)


@pytest.mark.slow
def test_the_base_model_draws_what_it_is_asked(base):
    """Twenty cells, one image each: a wrong scheduler, scale or tokenizer fails this at once."""
    from unlearncanvas.pipelines.sampling import Request, draw

    protocol = load_protocol("mini")
    cells = protocol.cells()[::5]
    pipe = load_base("minicanvas", dtype=torch.bfloat16)
    requests = [Request(cell=cell, seed=123, prompt=protocol.ask(cell)) for cell in cells]
    images = np.concatenate([batch for _, batch in draw(pipe, requests, protocol.sampler)])
    detectors = load_detectors(protocol.detectors)
    found = detectors.detect(list(images))
    styles = [detectors.names("style")[row.argmax()] for row in found.style_prob]
    objects = [detectors.names("object")[row.argmax()] for row in found.object_prob]
    assert sum(s == c.style for s, c in zip(styles, cells, strict=True)) >= 18
    assert sum(o == c.object for o, c in zip(objects, cells, strict=True)) >= 18


def test_weights_hold_no_path_of_a_machine():
    for path in WEIGHTS.rglob("*.json"):
        assert "/" + "work" not in Path(path).read_text()
