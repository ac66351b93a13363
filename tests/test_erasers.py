"""The contract that every eraser keeps, one row a config."""

import re

import numpy as np
import pytest
import torch

from unlearncanvas.config import load_eraser, names
from unlearncanvas.models import changed_tensors, snapshot

SMALL_ESD = {"steps": 2, "batch_size": 2, "num_inference_steps": 3, "lr": 1e-3}

# config, settings that make it small, pattern of the tensors it may change ("(?!)" is none)
ROWS = [
    pytest.param("none", {}, r"(?!)", id="none"),
    pytest.param("noise", {}, r"^unet\.", id="noise"),
    pytest.param("esd", SMALL_ESD, r"^unet\..*attn2\.to_(q|k|v|out\.0)\.", id="esd-x"),
    pytest.param(
        "esd",
        {**SMALL_ESD, "parameters": "x-strict"},
        r"^unet\..*attn2\.to_(k|v)\.",
        id="esd-x-strict",
    ),
    pytest.param(
        "esd",
        {**SMALL_ESD, "parameters": "u"},
        r"^unet\.(?!.*attn2)(?!time_embedding|conv_out|conv_norm_out)",
        id="esd-u",
    ),
    pytest.param("esd", {**SMALL_ESD, "parameters": "full"}, r"^unet\.", id="esd-full"),
    pytest.param("uce", {}, r"^unet\..*attn2\.to_(k|v)\.weight$", id="uce"),
    pytest.param(
        "uce", {"tokens": "last_subject"}, r"^unet\..*attn2\.to_(k|v)\.weight$", id="uce-2025"
    ),
]
contract = pytest.mark.parametrize(("name", "settings", "pattern"), ROWS)


def test_every_config_has_a_row():
    assert {row.values[0] for row in ROWS} == set(names("erasers"))


def erase(pipe, task, name, settings):
    before = snapshot(pipe)
    load_eraser(name, preset="mini", overrides=settings).eraser.erase(pipe, task)
    return changed_tensors(pipe, before)


@contract
def test_changes_exactly_what_it_says(pipe, task, name, settings, pattern):
    changed = erase(pipe, task, name, settings)
    expected = {key for key in snapshot(pipe) if re.search(pattern, key)}
    # a key bias or an unreached norm can have a zero gradient, but never the greater part
    assert set(changed) <= expected
    assert len(changed) >= 0.9 * len(expected)
    assert all(tensor.isfinite().all() for tensor in changed.values())


@contract
def test_same_seed_gives_the_same_tensors(tiny_base, pipe, task, name, settings, pattern):
    first = erase(pipe, task, name, settings)
    other = snapshot(tiny_base)
    for key, tensor in other.items():
        component, _, rest = key.partition(".")
        getattr(pipe, component).state_dict()[rest].copy_(tensor)
    torch.manual_seed(99)
    second = erase(pipe, task, name, settings)
    assert first.keys() == second.keys()
    for key in first:
        assert torch.equal(first[key], second[key])


@contract
def test_leaves_the_house_as_found(pipe, task, name, settings, pattern):
    parts = (pipe.unet, pipe.text_encoder, pipe.vae)

    def state():  # not Python's random: beartype itself draws from it
        return (
            [part.training for part in parts],
            [weight.requires_grad for part in parts for weight in part.parameters()],
            [weight.dtype for part in parts for weight in part.parameters()],
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002
            torch.is_grad_enabled(),
        )

    before = state()
    erase(pipe, task, name, settings)
    assert state() == before
    assert all(weight.grad is None for part in parts for weight in part.parameters())
    assert not any(part._forward_hooks for part in parts)


@contract
def test_pipeline_still_draws(pipe, task, name, settings, pattern):
    erase(pipe, task, name, settings)
    generator = torch.Generator().manual_seed(0)
    image = pipe(
        "A Cat image.", num_inference_steps=2, height=32, width=32, generator=generator,
        output_type="np",
    ).images  # fmt: skip
    assert image.shape == (1, 32, 32, 3)


@contract
def test_restored_artefact_is_the_erased_pipeline(tiny_base, pipe, task, name, settings, pattern):
    import copy

    changed = erase(pipe, task, name, settings)
    fresh = copy.deepcopy(tiny_base)
    load_eraser(name, preset="mini", overrides=settings).eraser.restore(fresh, task, changed)
    erased, restored = snapshot(pipe), snapshot(fresh)
    assert all(torch.equal(erased[key], restored[key]) for key in erased)


def test_restore_refuses_a_tensor_of_another_model(pipe, task):
    eraser = load_eraser("esd", preset="mini").eraser
    with pytest.raises(ValueError, match="no tensor 'unet\\.nothing'"):
        eraser.restore(pipe, task, {"unet.nothing": torch.zeros(1)})
    with pytest.raises(ValueError, match="must have shape"):
        eraser.restore(pipe, task, {"unet.conv_in.bias": torch.zeros(1)})
