"""Training the mini canvas' denoiser: interrupted and resumed, it ends in the same weights."""

import pytest
import torch

from unlearncanvas.canvases.language import load_language
from unlearncanvas.canvases.mini import loop, train_denoiser
from unlearncanvas.canvases.mini.canvas_data import painted
from unlearncanvas.canvases.mini.captions import Captions
from unlearncanvas.canvases.mini.train import committed_autoencoder

pytestmark = pytest.mark.slow
STEPS, TEXT_STEPS = 4, 2
CPU = torch.device("cpu")


class InterruptedTrainingError(Exception):
    """What a killed process does not say."""


@pytest.fixture(scope="module")
def train():
    """Train for a few steps in a folder; return the tensors of text encoder and UNet."""
    data, vae = painted(1, split="train"), committed_autoencoder(CPU)

    def trained(work_dir, *, seed=0):
        pipe = train_denoiser.train_denoiser(
            data, vae, load_language("mini"), text_steps=TEXT_STEPS, steps=STEPS, seed=seed,
            work_dir=work_dir, device=CPU,
        )  # fmt: skip
        modules = {"text_encoder": pipe.text_encoder, "unet": pipe.unet}
        return {
            f"{part}.{name}": tensor
            for part, module in modules.items()
            for name, tensor in module.state_dict().items()
        }

    return trained


@pytest.fixture(scope="module")
def uninterrupted(train, tmp_path_factory):
    return train(tmp_path_factory.mktemp("uninterrupted"))


def test_a_resumed_training_ends_in_the_same_weights(train, uninterrupted, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", -1.0)
    drawn = []

    class UntilTheThirdStep(Captions):
        def draw(self, style, obj):
            drawn.append(style)
            if len(drawn) > 2 * train_denoiser.BATCH:
                raise InterruptedTrainingError
            return super().draw(style, obj)

    with monkeypatch.context() as patch:
        patch.setattr(train_denoiser, "Captions", UntilTheThirdStep)
        with pytest.raises(InterruptedTrainingError):
            train(tmp_path)
    checkpoint = torch.load(tmp_path / "denoiser.pt", weights_only=True)
    assert checkpoint["step"] == 2
    resumed = train(tmp_path)
    assert resumed.keys() == uninterrupted.keys()
    assert all(torch.equal(resumed[name], uninterrupted[name]) for name in resumed)


def test_a_checkpoint_of_another_seed_is_refused(train, tmp_path):
    train(tmp_path)
    with pytest.raises(ValueError, match=r"another training \(seed"):
        train(tmp_path, seed=1)


def test_another_seed_is_another_model(train, uninterrupted, tmp_path):
    other = train(tmp_path, seed=1)
    assert not all(torch.equal(other[name], uninterrupted[name]) for name in other)
