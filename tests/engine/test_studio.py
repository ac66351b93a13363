"""The pipeline that draws: erased as stored, the base again afterwards, the same when optimized."""

import copy

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters

from unlearncanvas.core.config import load_eraser
from unlearncanvas.engine.options import drawing_as_asked
from unlearncanvas.engine.studio import Studio
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.pipelines.artifacts import snapshot, tensors_of
from unlearncanvas.pipelines.sampling import Request, draw_batch

CPU = torch.device("cpu")


@pytest.fixture
def stored(bench, task, tmp_path):
    """Store what an eraser makes of the tiny pipeline; returns the folder."""

    def store(name, *overrides):
        folder = tmp_path / name.partition(":")[0]
        eraser = load_eraser(name, preset="mini", overrides=dict(overrides))
        bench.artifact(eraser, task, folder)
        return folder

    return store


@pytest.fixture
def studio_of(tiny_base, room):
    """Open a studio that draws with some optimizations; returns it and how it draws."""

    def open_studio(*optimizations, dtype="float32"):
        changes = {"optimizations": optimizations, "dtype": dtype}
        sampler = room.protocol.sampler.model_copy(update=changes)
        studio = Studio(lambda: copy.deepcopy(tiny_base), sampler)

        def draw(folder):
            rules = room.protocol
            asked = [Request(cell=cell, seed=1, prompt=rules.ask(cell)) for cell in rules.cells()]
            with studio.erased(folder) as lent:
                images = draw_batch(lent.pipe, asked, sampler).astype(int)
            studio.ufe_per_step = lent.work.ufe / len(asked) / sampler.num_inference_steps
            return images

        return studio, draw

    return open_studio


def test_the_base_is_back_afterwards(stored, studio_of, tiny_base):
    studio, _ = studio_of(dtype="bfloat16")
    with studio.erased(stored("uce")) as (pipe, _):
        erased = snapshot(pipe)
    base = {name: tensor.to(torch.bfloat16) for name, tensor in snapshot(tiny_base).items()}
    assert any(not torch.equal(erased[name], base[name]) for name in base if "attn2" in name)
    after = tensors_of(pipe)
    assert all(torch.equal(after[name], base[name]) for name in base if "position" not in name)


def test_optimized_or_not_the_pictures_are_alike(stored, studio_of):
    """The compiled UNet sees every artifact's weights, and hooks are not lost on it."""
    folders = [
        stored("uce"),
        stored("ft", ("steps", 2), ("lr", 0.02)),
        stored("tests.fixtures.hooking_eraser:Hooking"),
    ]
    studio, plain = studio_of()
    fast_studio, fast = studio_of("compile", "channels-last")
    torch._dynamo.reset()
    wanted, got = [plain(folder) for folder in folders], [fast(folder) for folder in folders]
    assert counters["stats"]["unique_graphs"] > 0
    assert studio.ufe_per_step == fast_studio.ufe_per_step == 2
    for ours, theirs in zip(wanted, got, strict=True):
        assert np.abs(ours - theirs).max() <= 1
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert np.abs(wanted[one] - wanted[other]).max() > 3


@pytest.mark.parametrize("optimizations", [(), ("compile",)])
def test_what_a_hook_does_while_drawing_is_counted(stored, studio_of, optimizations):
    """Two forward passes an image and step with guidance; the hook adds two and a half of those."""
    studio, draw = studio_of(*optimizations)
    draw(stored("tests.fixtures.hooking_eraser:Consulting"))
    assert studio.ufe_per_step == 2 + 2 + 1
    steps = ("untouched", 0.0), ("optimize_steps", 3), ("optimize_until", 1.0)
    draw(stored("seot", *steps))  # two of six prompts name the target
    assert studio.ufe_per_step == pytest.approx(2 + (1 + 3 * 3) * 2 / 6)


def test_optimizations_are_another_protocol_and_what_cannot_be_is_named(monkeypatch):
    rules = load_protocol("mini")
    so = drawing_as_asked(rules, CPU, dtype=None, batch_size=None, optimizations=["compile"])
    assert so.digest != drawing_as_asked(rules, CPU, dtype=None, batch_size=None).digest
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match=r"needs a C\+\+ compiler: install"):
        drawing_as_asked(rules, CPU, dtype=None, batch_size=None, optimizations=["compile"])
    with pytest.raises(ValueError, match="unknown optimization 'compiled'; did you mean compile"):
        drawing_as_asked(rules, CPU, dtype=None, batch_size=None, optimizations=["compiled"])
