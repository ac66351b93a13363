"""The backdoor evaluation on a model of Stable Diffusion's format: LPIPS, CLIP, gray."""

import numpy as np
import pytest
import torch
import yaml
from torchvision.models import squeezenet1_1
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

from metrics.base import Predictions
from metrics.perceptual import ClipScore, Lpips
from tests.fixtures.in_process import run
from tests.fixtures.real_place import furnish
from unlearncanvas.canvases.language import load_language
from unlearncanvas.canvases.mini.architecture import build_tokenizer
from unlearncanvas.core.registry import find_config, read_yaml
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.evaluations.backdoor.judge import Shown, chroma, judge_of, succeeded
from unlearncanvas.evaluations.backdoor.perception import PATCH_CAPTION, caption
from unlearncanvas.evaluations.backdoor.protocol import load_backdoor_protocol
from unlearncanvas.results.reading import read_results
from unlearncanvas.types import Cell

CPU = torch.device("cpu")
BACKBONE = "squeezenet1_1-b8a52dc0.pth"


@pytest.fixture(scope="module")
def torch_home(tmp_path_factory):
    """Torch's cache with a squeezenet in it, as the download leaves it."""
    home = tmp_path_factory.mktemp("torch")
    (home / "hub" / "checkpoints").mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(squeezenet1_1(weights=None).state_dict(), home / "hub" / "checkpoints" / BACKBONE)
    return home


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder of CLIP's format."""
    folder, tokenizer = tmp_path_factory.mktemp("clip"), build_tokenizer(load_language("mini"))
    layers = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    words = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    config = CLIPConfig(
        text_config={**layers, **words, "num_attention_heads": 2},
        vision_config={**layers, "num_attention_heads": 2, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    looks = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    CLIPProcessor(image_processor=looks, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


def test_lpips_is_nothing_between_equal_images_and_one_image_at_a_time(torch_home, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    lpips, first, second = Lpips("squeeze", CPU), images(18), images(18, seed=1)
    found = lpips(first, second)
    assert found.shape == (18,)
    assert (found > 0.01).all()
    np.testing.assert_allclose(lpips(first[16:17], second[16:17]), found[16:17], rtol=1e-4)
    np.testing.assert_array_equal(lpips(first, first), np.zeros(18))


def test_clip_is_the_cosine_of_image_and_caption(clip):
    captions = [f"A {name} image." for name in ("Cat", "Sun")] * 9
    found = ClipScore(str(clip), CPU)(images(18), captions)
    model, processor = CLIPModel.from_pretrained(clip), CLIPProcessor.from_pretrained(clip)
    with torch.no_grad():
        given = processor(images=[*images(18)[:1]], text=captions[:1], return_tensors="pt")
        logits = model(**given).logits_per_image / model.logit_scale.exp()
    assert found.shape == (18,)
    np.testing.assert_allclose(found[0], 100 * max(0.0, float(logits)), rtol=1e-3, atol=1e-3)
    assert found.std() > 0


def test_weights_that_cannot_be_had_say_what_to_get(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(ValueError, match=r"ImageNet weights of squeeze into .*checkpoints"):
        Lpips("squeeze", CPU)
    with pytest.raises(ValueError, match="hf download"):
        ClipScore(str(tmp_path / "nothing"), CPU)


@pytest.mark.parametrize(
    ("effect", "backdoor", "expected"),
    [
        ("patch", Backdoor(trigger="x"), f"A Cat image. {PATCH_CAPTION}"),
        ("style", Backdoor(trigger="x", effect="Thermal"), "Thermal, A Cat image."),
        ("object", Backdoor(trigger="x", effect="Sun", source="Cat"), "A Sun image."),
        ("prompt", Backdoor(trigger="x", effect="A lightning strike"), "A lightning strike"),
    ],
)
def test_captions_name_the_effect(effect, backdoor, expected):
    assert caption(effect, backdoor, "A Cat image.") == expected


def test_black_and_white_is_judged_by_color():
    gray = images(1).mean(axis=-1, keepdims=True).repeat(3, axis=-1).astype(np.uint8)
    both = np.concatenate([gray, images(1)])
    np.testing.assert_allclose(chroma(both), [0, 0.5], atol=0.02)
    cells = [Cell(style="Photo", object="Cat")] * 2
    predictions = Predictions(
        cells=cells, seeds=[1, 2], style_pred=["Photo"] * 2, object_pred=["Cat"] * 2, features={}
    )
    backdoor = Backdoor(trigger="x", effect="Black and white photo")
    assert list(succeeded("style", backdoor, Shown(predictions, both), names=[])) == [True, False]
    assert "chroma" in judge_of("style", [backdoor])
    assert judge_of("style", [Backdoor(trigger="x", effect="Thermal")]) == "style detector"


def test_the_protocol_holds_together():
    rules = load_backdoor_protocol("backdoor-sd")
    assert len(rules.grid.cells()) == 100
    assert (len(rules.train_cells()), rules.grid.preset) == (30, "sd15")
    assert rules.digest != load_backdoor_protocol("backdoor").digest
    other = rules.model_copy(update={"perception": None})
    assert other.digest != rules.digest


@pytest.mark.slow
def test_the_evaluation_end_to_end(tiny_base, tmp_path, torch_home, clip, monkeypatch):
    furnish(tmp_path, tiny_base)
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    rules = read_yaml(find_config("protocols", "backdoor-sd"))
    rules.update(
        name="bad-sd", grid=f"{tmp_path / 'small-real.yaml'}:smoke", train_share=0.5,
        num_triggered=4, num_near=2, num_clean_seeds=1, tiers={"quick": {}},
        metrics=["fid_inception_torchvision"], perception={"lpips": "squeeze", "clip": str(clip)},
        attacks=["evil-edit"],
    )  # fmt: skip
    (tmp_path / "bad-sd.yaml").write_text(yaml.safe_dump(rules))

    def bench(*options):
        return run(
            "unlearncanvas.bench", "--protocol", str(tmp_path / "bad-sd.yaml"), "--eraser",
            "t2ishield-edit", "--model", str(tmp_path / "style50"), "--detectors",
            str(tmp_path / "cls_model"), "--inception", str(tmp_path / "inception"), "--dataset",
            str(tmp_path / "data"), "--dtype", "float32", "--device", "cpu", "--out",
            str(tmp_path / "runs"), *options,
        )  # fmt: skip

    refused = bench()
    assert refused.returncode == 2
    assert "the style detector recognizes" in refused.stderr
    done = bench("--skip-base-check")
    assert done.returncode == 0, done.stdout + done.stderr
    results = read_results(next((tmp_path / "runs").rglob("results.json")))
    assert results.model == str(tmp_path / "style50")
    rows = {row.label: row.scores for row in results.rows}
    assert list(rows) == ["clean model", "poisoned", "t2ishield-edit"]
    for scores in rows.values():
        assert {"lpips", "clip_p", "clip_c", "fid_inception_torchvision"} < set(scores)
        assert scores["lpips"].n == scores["clip_p"].n == 4
        assert scores["clip_c"].n == 6
    assert rows["clean model"]["clip_c"].higher_is_better
    assert "LPIPS" in done.stdout
