"""The contract that every eraser keeps, one row a config."""

import copy
import dataclasses
import re

import numpy as np
import pytest
import torch

from unlearncanvas.core.registry import names
from unlearncanvas.engine.losses import LossCurves
from unlearncanvas.pipelines.artifacts import changed_tensors, snapshot
from unlearncanvas.pipelines.methods import load_eraser
from unlearncanvas.pipelines.ufe import count_work

SMALL = {"steps": 2, "batch_size": 2, "lr": 1e-3}
SMALL_ESD = {**SMALL, "num_inference_steps": 3}
SMALL_SPM = {**SMALL_ESD, "num_anchors": 2, "warmup": 0, "cycles": 1}
KEYS_AND_VALUES = r"^unet\..*attn2\.to_(k|v)\.weight$"
CROSS_ATTENTION = r"^unet\..*attn2\.to_(q|k|v|out\.0)\."

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
    pytest.param("ga", {**SMALL, "parameters": "full"}, r"^unet\.", id="ga"),
    pytest.param("ft", SMALL, r"^unet\.", id="ft"),
    pytest.param("ca", {**SMALL, "num_images": 6}, KEYS_AND_VALUES, id="ca"),
    pytest.param(
        "ca", {**SMALL, "num_images": 6, "loss": "noise", "prior_weight": 1.0}, KEYS_AND_VALUES,
        id="ca-noise-prior",
    ),
    pytest.param("fmn", {**SMALL, "parameters": "x"}, CROSS_ATTENTION, id="fmn"),
    pytest.param(
        "fmn", {**SMALL, "parameters": "x", "inversion_steps": 2, "end_too": True}, CROSS_ATTENTION,
        id="fmn-inversion",
    ),
    pytest.param("salun", {**SMALL, "share": 1.0}, r"^unet\.", id="salun"),
    pytest.param("salun", {**SMALL, "as_released": True}, r"^unet\.", id="salun-released"),
    pytest.param("ediff", SMALL, r"^unet\.", id="ediff"),
    pytest.param("ediff", {**SMALL, "as_released": True}, r"^unet\.", id="ediff-released"),
    pytest.param("shs", {**SMALL, "trim_batches": 2}, r"^unet\.", id="shs"),
    pytest.param("spm", SMALL_SPM, r"^unet\..*\.spm_style_Pop_Art\.(down|up)$", id="spm"),
    pytest.param("seot", {}, r"(?!)", id="seot"),
    pytest.param("skd", SMALL, r"^unet\.", id="skd"),
    pytest.param("skd-cag", SMALL, r"^unet\.", id="skd-cag"),
    pytest.param(
        "skd-cag", {**SMALL, "goal": "random-words", "timestep_weight": True}, r"^unet\.",
        id="skd-cag-words",
    ),
    pytest.param("skd-cag", {**SMALL, "as_released": True}, r"^unet\.", id="skd-cag-released"),
    pytest.param("finetune-reversal", SMALL, r"^unet\.", id="finetune-reversal"),
    pytest.param("t2ishield-edit", {}, KEYS_AND_VALUES, id="t2ishield-edit"),
    pytest.param(
        "rickrolling-removal", SMALL, r"^text_encoder\.", id="rickrolling-removal"
    ),
]  # fmt: skip
contract = pytest.mark.parametrize(("name", "settings", "pattern"), ROWS)


def test_every_config_has_a_row():
    assert {row.values[0] for row in ROWS} == set(names("erasers"))


def configured(name, settings):
    return load_eraser(name, preset="mini", overrides=settings).eraser


def erase(training_images, pipe, task, name, settings):
    before = snapshot(pipe)
    eraser = configured(name, settings)
    eraser.erase(pipe, training_images.fulfil(pipe, eraser, task))
    return changed_tensors(pipe, before)


@contract
def test_changes_exactly_what_it_says(training_images, pipe, task, name, settings, pattern):
    changed = erase(training_images, pipe, task, name, settings)
    expected = {key for key in snapshot(pipe) if re.search(pattern, key)}
    # a key bias or an unreached norm can have a zero gradient, but never the greater part
    assert set(changed) <= expected
    assert len(changed) >= 0.9 * len(expected)
    assert all(tensor.isfinite().all() for tensor in changed.values())


@contract
def test_same_seed_gives_the_same_tensors(
    training_images, tiny_base, task, name, settings, pattern
):
    first = erase(training_images, copy.deepcopy(tiny_base), task, name, settings)
    torch.manual_seed(99)
    second = erase(training_images, copy.deepcopy(tiny_base), task, name, settings)
    assert first.keys() == second.keys()
    for key in first:
        assert torch.equal(first[key], second[key])


@contract
def test_leaves_the_pipeline_as_found(training_images, pipe, task, name, settings, pattern):
    parts = (pipe.unet, pipe.text_encoder, pipe.vae)
    own = [weight for part in parts for weight in part.parameters()]
    processors = list(map(id, pipe.unet.attn_processors.values()))

    def state():  # not Python's random: beartype itself draws from it
        return (
            [part.training for part in parts],
            [weight.requires_grad for weight in own],
            [weight.dtype for weight in own],
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002
            torch.is_grad_enabled(),
        )

    before = state()
    erase(training_images, pipe, task, name, settings)
    assert state() == before
    assert list(map(id, pipe.unet.attn_processors.values())) == processors
    assert not any(weight.requires_grad for part in parts for weight in part.parameters())
    assert all(weight.grad is None for part in parts for weight in part.parameters())
    assert not any(part._forward_hooks for part in parts)


def draw(pipe, prompt="A Cat image in Pop Art style."):
    generator = torch.Generator().manual_seed(0)
    return pipe(
        prompt, num_inference_steps=3, height=32, width=32, generator=generator, output_type="np"
    ).images


@contract
def test_restored_artifact_is_the_erased_pipeline(
    training_images, tiny_base, pipe, task, name, settings, pattern
):
    changed = erase(training_images, pipe, task, name, settings)
    fresh = copy.deepcopy(tiny_base)
    configured(name, settings).restore(fresh, task, changed)
    erased, restored = snapshot(pipe), snapshot(fresh)
    assert erased.keys() == restored.keys()
    assert all(torch.equal(erased[key], restored[key]) for key in erased)
    image = draw(pipe)
    assert image.shape == (1, 32, 32, 3)
    assert np.array_equal(image, draw(fresh))
    if name != "none":
        assert not np.array_equal(image, draw(copy.deepcopy(tiny_base)))


@contract
@pytest.mark.parametrize("changes", [{}, {"steps": 3, "batch_size": 1}, {"batch_size": 5}])
def test_takes_the_work_it_plans(training_images, pipe, task, name, settings, pattern, changes):
    changes = {key: value for key, value in changes.items() if key in settings}
    eraser = configured(name, {**settings, **changes})
    supplied = training_images.fulfil(pipe, eraser, task)
    side = pipe.unet.config.sample_size
    with count_work(pipe) as work:
        eraser.erase(pipe, supplied)
    if not supplied.images:
        spread = 4 * eraser.planned_ufe_std()
        assert work.ufe == pytest.approx(eraser.planned_ufe(), abs=spread + 1e-9)
        assert (spread > 0) == (name in ("esd", "spm"))
    else:  # painted images are larger than this UNet's native size
        area = max(gallery.pixels.shape[1] // 4 for gallery in supplied.images.values()) ** 2
        assert work.ufe == pytest.approx(eraser.planned_ufe() * area / side**2)


CURVES = {
    "ediff": {"forget", "retain"},
    "shs": {"forget", "retain"},
    "fmn-inversion": {"inversion", "loss"},
}


@contract
def test_reports_the_losses_of_its_steps_and_patches_nothing(
    request, training_images, pipe, task, name, settings, pattern
):
    eraser, seen = configured(name, settings), []
    own = torch.autograd.grad, torch.Tensor.backward

    def on_loss(*point):
        seen.append(point)
        assert (torch.autograd.grad, torch.Tensor.backward) == own

    supplied = training_images.fulfil(pipe, eraser, task)
    eraser.erase(pipe, dataclasses.replace(supplied, report=LossCurves(on_loss=on_loss, every=1)))
    row = request.node.callspec.id
    curves = CURVES.get(row, CURVES.get(name, {"loss"})) if hasattr(eraser, "steps") else set()
    assert {curve for curve, _, _ in seen} == curves
    for curve in curves:
        points = [(step, value) for found, step, value in seen if found == curve]
        assert [step for step, _ in points] == [0, 1]
        assert all(np.isfinite(value) for _, value in points)


def test_restore_refuses_a_tensor_of_another_model(pipe, task):
    eraser = load_eraser("esd", preset="mini").eraser
    with pytest.raises(ValueError, match="no tensor 'unet\\.nothing'"):
        eraser.restore(pipe, task, {"unet.nothing": torch.zeros(1)})
    with pytest.raises(ValueError, match="must have shape"):
        eraser.restore(pipe, task, {"unet.conv_in.bias": torch.zeros(1)})
