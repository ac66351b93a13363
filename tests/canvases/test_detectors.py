"""The classifiers and the Inception recipes of UnlearnCanvas, from files of the same format."""

import logging

import numpy as np
import pytest
import timm
import torch
from cleanfid.resize import build_resizer
from PIL import Image
from safetensors.torch import save_file
from torchvision import models, transforms

from unlearncanvas.canvases.detectors import Detections, joined
from unlearncanvas.canvases.inception import CleanInception, PublishedInception, load_extractor
from unlearncanvas.canvases.load import load_detectors, row_widths
from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.evaluations.grid.protocol import load_protocol

ARCHITECTURE = "test_vit"
CPU = torch.device("cpu")


def small(protocol, **changes):
    """The protocol with a small transformer for the large one."""
    detectors = protocol.detectors.model_copy(
        update={"architecture": ARCHITECTURE, "image_size": 32, **changes}
    )
    return protocol.model_copy(update={"detectors": detectors})


@pytest.fixture
def protocol():
    return small(load_protocol("unlearncanvas"))


def classifier(num_labels, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return timm.create_model(ARCHITECTURE, num_classes=num_labels, img_size=32).eval()


@pytest.fixture
def weights(tmp_path):
    """Both files as the release has them, a pickle with the key model_state_dict."""
    for name, count in (("style50.pth", 51), ("style50_cls.pth", 20)):
        torch.save({"model_state_dict": classifier(count, count).state_dict()}, tmp_path / name)
    return tmp_path


def sources(folder, **others):
    return Sources(detectors=str(folder), inception=str(folder), **others)


def load(protocol, where):
    return load_detectors(protocol.detectors, protocol.extractors(), sources=where)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, size, dtype=np.uint8) for size in ((40, 60, 3), (50, 50, 3))]


def test_labels_are_in_the_order_of_the_outputs():
    """51 and 20 outputs; the photos are output 38, between Rust and Sketch."""
    detectors = load_protocol("unlearncanvas").detectors
    assert len(detectors.style.labels) == 51
    assert detectors.style.labels[37:40] == ("Rust", "Photo", "Sketch")
    assert detectors.style.labels[0] == "Abstractionism"
    assert detectors.style.labels[50] == "Winter"
    others = [label for label in detectors.style.labels if label != "Photo"]
    assert others == sorted(others)
    assert detectors.object.labels == tuple(sorted(detectors.object.labels))
    assert len(detectors.object.labels) == 20


def test_the_published_preprocessing(protocol, weights, images):
    """Resize to a square whatever the ratio, ToTensor, Normalize 0.5, as torchvision does it."""
    detectors = load(protocol, sources(weights))
    published = transforms.Compose(
        [
            transforms.Resize((32, 32)),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    batch = torch.stack([published(Image.fromarray(image)) for image in images])
    with torch.no_grad():
        expected = classifier(51, 51)(batch).softmax(dim=1).numpy()
    found = detectors.detect(images)
    np.testing.assert_allclose(found.style_prob, expected, atol=1e-5)
    assert found.object_prob.shape == (2, 20)
    assert detectors.names("style")[38] == "Photo"


def test_safetensors_serve_too(protocol, weights, images):
    save_file(classifier(51, 51).state_dict(), weights / "style50.safetensors")
    style = protocol.detectors.style.model_copy(update={"file": "style50.safetensors"})
    other = load(small(protocol, style=style), sources(weights))
    first = load(protocol, sources(weights))
    np.testing.assert_array_equal(first.detect(images).style_prob, other.detect(images).style_prob)


def test_other_weights_are_another_identity(protocol, weights):
    first = load(protocol, sources(weights)).identity
    torch.save({"model_state_dict": classifier(51, 7).state_dict()}, weights / "style50.pth")
    assert load(protocol, sources(weights)).identity != first


def test_files_that_are_missing_wrong_or_cut(protocol, weights, monkeypatch):
    def refused(match):
        with pytest.raises(ValueError, match=match) as caught:
            load(protocol, sources(weights))
        assert "\n" not in str(caught.value)

    style, obj = weights / "style50.pth", weights / "style50_cls.pth"
    whole = style.read_bytes()
    style.write_bytes(whole[: len(whole) // 2])
    refused("style50.pth is truncated or damaged, download it again")
    style.write_bytes(obj.read_bytes())
    refused("has 20 outputs, expected 51; is it the other classifier")
    torch.save({"model_state_dict": {"head.weight": torch.zeros(51, 64)}}, style)
    refused("does not hold a test_vit")
    style.unlink()
    refused(r"no style50\.pth in it; it is in the Google Drive folder")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"cannot get style50.pth from the Hub .* --detectors"):
        load(protocol, SHIPPED)


class Layers(torch.nn.Module):
    """Stands where Inception's layers stand in the TorchScript file: 2,048 means of the image."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3)).repeat(1, 683)[:, :2048]


class Script(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = Layers()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # clean-fid's own format
def test_the_recipe_of_clean_fid(tmp_path, images):
    torch.jit.script(Script()).save(str(tmp_path / CleanInception.file))
    found = load_extractor("inception_clean", CPU, str(tmp_path))(images)
    resize = build_resizer("clean")
    expected = [(resize(image).mean(axis=(0, 1)) - 128) / 128 for image in images]
    assert found.shape == (2, 2048)
    np.testing.assert_allclose(found[:, :3], expected, atol=2e-5)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inception")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = models.inception_v3(weights=None, transform_input=True, init_weights=False)
    torch.save(network.state_dict(), folder / PublishedInception.file)
    return folder, network.eval()


def test_the_recipe_of_the_release(published, images):
    """Its hook on Mixed_7c, averaged, after two resizes without antialiasing and 2 x - 1."""
    folder, network = published
    hooked = []
    network.Mixed_7c.register_forward_hook(lambda _, __, out: hooked.append(out.mean(dim=(2, 3))))
    for image in images:
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        for size in (512, 299):
            pixels = torch.nn.functional.interpolate(
                pixels, size=(size, size), mode="bilinear", antialias=False, align_corners=False
            )
        with torch.no_grad():
            network(2 * pixels - 1)
    found = load_extractor("inception_torchvision", CPU, str(folder))(images)
    np.testing.assert_allclose(found, torch.cat(hooked).numpy(), rtol=1e-3, atol=1e-4)


def test_without_inception_the_rest_still_comes_out(protocol, weights, images, caplog, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with caplog.at_level(logging.WARNING):
        detectors = load(protocol, sources(weights))
    assert detectors.extractors == {}
    for name in ("inception_clean", "inception_torchvision"):
        assert f"left out: {name}: get https://" in caplog.text
    assert f"put it at {weights / CleanInception.file}" in caplog.text
    assert set(detectors.detect(images).features) == {"detectors"}


@pytest.mark.parametrize("canvas", ["mini", "mini-tune", "unlearncanvas"])
def test_widths_and_names_are_known_without_weights(canvas, protocol, weights):
    spec = protocol.detectors if canvas == "unlearncanvas" else load_protocol(canvas).detectors
    loaded = load_detectors(spec, sources=sources(weights))
    found = loaded.detect([np.zeros((64, 64, 3), np.uint8)])
    probabilities = found.style_prob.size + found.object_prob.size
    assert spec.row_widths() == (found.features["detectors"].size, probabilities)
    for domain in ("style", "object"):
        assert spec.names(domain) == loaded.names(domain)
    assert row_widths(spec, ["inception_clean"]) == (spec.row_widths()[0] + 2048, probabilities)


def test_a_detector_that_the_package_does_not_ship_has_no_width():
    spec = load_protocol("mini").detectors
    other = spec.style.model_copy(update={"name": "stile"})
    with pytest.raises(ValueError, match="unknown detector 'stile'; did you mean style"):
        spec.model_copy(update={"style": other}).row_widths()


def test_any_canvas_takes_the_extractors_of_its_metrics(published, images):
    """A protocol on the mini canvas with a metric on Inception's features."""
    metrics = ("unlearning_accuracy", "fid_minicanvas", "fid_inception_torchvision")
    grid = load_protocol("mini").model_copy(update={"metrics": metrics})
    assert grid.extractors() == ["inception_torchvision"]
    found = load(grid, Sources(inception=str(published[0])))
    assert set(found.extractors) == {"inception_torchvision"}
    assert set(found.identity) == {"detectors", "extractors"}


def test_batches_are_joined_in_order():
    def part(value):
        style, obj, extra = (np.full((1, width), value, dtype=np.float32) for width in (2, 3, 4))
        return Detections(style, obj, {"x": extra})

    both = joined([part(1.0), part(2.0)])
    assert both.style_prob[:, 0].tolist() == both.features["x"][:, 0].tolist() == [1.0, 2.0]
