"""The pipeline that draws: erased as stored, the base again afterwards, the same when optimized."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch._dynamo.utils import counters

from tests.conftest import Bench
from unlearncanvas.engine.options import drawing_as_asked
from unlearncanvas.engine.recipe import Recipe, Step
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.pipelines.artifacts import snapshot, tensors_of
from unlearncanvas.pipelines.methods import load_eraser
from unlearncanvas.pipelines.sampling import Request, draw_batch

CPU = torch.device("cpu")


@pytest.fixture
def stored(bench, task, tmp_path):
    """Store what an eraser makes of the tiny pipeline; returns its recipe."""

    def store(name, *overrides):
        eraser = load_eraser(name, preset="mini", overrides=dict(overrides))
        folder = tmp_path / name.partition(":")[0]
        bench.artifact(eraser, task, folder)
        return bench.recipe(eraser, task, folder)

    return store


@pytest.fixture
def store_of(tiny_base, training_images):
    """Open a store that draws with some optimizations; returns it and how it draws."""

    def open_store(*optimizations, dtype="float32"):
        changes = {"optimizations": optimizations, "dtype": dtype}
        sampler = training_images.protocol.sampler.model_copy(update=changes)
        bench = Bench(tiny_base, training_images, sampler)

        def draw(recipe):
            rules = training_images.protocol
            asked = [Request(cell=cell, seed=1, prompt=rules.ask(cell)) for cell in rules.cells()]
            with bench.store.lend(recipe) as lent:
                images = draw_batch(lent.pipe, asked, sampler).astype(int)
            bench.ufe_per_step = lent.work.ufe / len(asked) / sampler.num_inference_steps
            return images

        return bench, draw

    return open_store


def test_the_base_is_back_afterwards(stored, store_of, tiny_base):
    bench, _ = store_of(dtype="bfloat16")
    with bench.store.lend(stored("uce")) as (pipe, _):
        erased = snapshot(pipe)
    base = {name: tensor.to(torch.bfloat16) for name, tensor in snapshot(tiny_base).items()}
    assert any(not torch.equal(erased[name], base[name]) for name in base if "attn2" in name)
    after = tensors_of(pipe)
    assert all(torch.equal(after[name], base[name]) for name in base if "position" not in name)


def test_optimized_or_not_the_pictures_are_alike(stored, store_of):
    """The compiled UNet sees every artifact's weights, and hooks are not lost on it."""
    recipes = [
        stored("uce"),
        stored("ft", ("steps", 2), ("lr", 0.02)),
        stored("tests.fixtures.hooking_eraser:Hooking"),
    ]
    slow_bench, plain = store_of()
    fast_bench, fast = store_of("compile", "channels-last")
    torch._dynamo.reset()
    wanted, got = [plain(recipe) for recipe in recipes], [fast(recipe) for recipe in recipes]
    assert counters["stats"]["unique_graphs"] > 0
    assert slow_bench.ufe_per_step == fast_bench.ufe_per_step == 2
    for ours, theirs in zip(wanted, got, strict=True):
        assert np.abs(ours - theirs).max() <= 1
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert np.abs(wanted[one] - wanted[other]).max() > 3


@pytest.mark.parametrize("optimizations", [(), ("compile",)])
def test_what_a_hook_does_while_drawing_is_counted(stored, store_of, optimizations):
    """Two forward passes an image and step with guidance; the hook adds two and a half of those."""
    bench, draw = store_of(*optimizations)
    draw(stored("tests.fixtures.hooking_eraser:Consulting"))
    assert bench.ufe_per_step == 2 + 2 + 1
    steps = ("untouched", 0.0), ("optimize_steps", 3), ("optimize_until", 1.0)
    draw(stored("seot", *steps))  # two of six prompts name the target
    assert bench.ufe_per_step == pytest.approx(2 + (1 + 3 * 3) * 2 / 6)


def test_optimizations_are_another_protocol_and_what_cannot_be_is_named(monkeypatch):
    rules = load_protocol("mini")
    so = drawing_as_asked(rules, CPU, dtype=None, batch_size=None, optimizations=["compile"])
    assert so.digest != drawing_as_asked(rules, CPU, dtype=None, batch_size=None).digest
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match=r"needs a C\+\+ compiler: install"):
        drawing_as_asked(rules, CPU, dtype=None, batch_size=None, optimizations=["compile"])
    with pytest.raises(ValueError, match="unknown optimization 'compiled'; did you mean compile"):
        drawing_as_asked(rules, CPU, dtype=None, batch_size=None, optimizations=["compiled"])


def test_a_chain_of_edits_is_restored_in_order_and_shares_its_links(bench, task, tmp_path):
    """(inject, erase): the second edit starts from the first, and both are drawn with."""
    first = load_eraser("ft", preset="mini", overrides={"steps": 1, "lr": 0.01})
    second = load_eraser("uce", preset="mini")
    steps = tuple(
        Step(method=method, task=task, name=str(tmp_path / name))
        for method, name in ((first, "one"), (second, "two"))
    )
    chain = Recipe(base="tiny", steps=steps)
    artifact = bench.store.artifact(chain)
    one, two = (load_file(tmp_path / name / "erased.safetensors") for name in ("one", "two"))
    assert artifact.base_digest == bench.store.model_digest(chain.before)
    assert artifact.base_digest != bench.store.base_digest
    alone = bench.artifact(second, task, tmp_path / "alone")
    assert alone.tensors_digest != artifact.tensors_digest
    with bench.store.lend(chain) as (pipe, _):
        drawn = tensors_of(pipe)
        for name, tensor in {**one, **two}.items():
            torch.testing.assert_close(drawn[name], tensor.to(drawn[name].dtype))
    with bench.store.lend(Recipe(base="tiny")) as (pipe, _):
        base = tensors_of(bench.store.base)
        for name, tensor in tensors_of(pipe).items():
            torch.testing.assert_close(tensor, base[name].to(tensor.dtype), rtol=0, atol=0)


def test_a_chain_is_made_again_from_where_it_is_damaged(bench, task, tmp_path):
    methods = [
        (load_eraser("ft", preset="mini", overrides={"steps": 1}), "one"),
        (load_eraser("uce", preset="mini"), "two"),
    ]
    steps = tuple(Step(method=m, task=task, name=str(tmp_path / name)) for m, name in methods)
    chain = Recipe(base="tiny", steps=steps)
    made = bench.store.artifact(chain)
    (tmp_path / "one" / "artifact.json").unlink()
    assert bench.store.recorded(chain) is None
    assert bench.store.artifact(chain).tensors_digest == made.tensors_digest
    assert bench.store.recorded(chain) is not None


def test_a_hook_before_an_edit_does_not_stay_on_the_pipeline(bench, task, tmp_path):
    hook = load_eraser("tests.fixtures.hooking_eraser:Hooking", preset="mini")
    plain = load_eraser("uce", preset="mini")
    first = bench.artifact(plain, task, tmp_path / "before")
    bench.artifact(hook, task, tmp_path / "hook")
    assert bench.artifact(plain, task, tmp_path / "after").tensors_digest == first.tensors_digest
