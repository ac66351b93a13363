"""SPM: the identity before training, the paper's step, a membrane for everything else."""

import copy

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from erasers.esd import negative_guidance
from erasers.shared.adapters import Gate, LowRank, add_adapters
from erasers.shared.latents import partial_sample
from erasers.spm import SPM, permeability, random_anchors
from tests.fixtures.transcription import hidden, mse
from unlearncanvas.pipelines.artifacts import snapshot
from unlearncanvas.types import Concept, Task

SMALL = {"steps": 1, "warmup": 0, "cycles": 1, "batch_size": 2, "num_inference_steps": 3}


def draw(pipe, prompt, images=1):
    return pipe(
        prompt, num_inference_steps=3, height=32, width=32, output_type="np",
        num_images_per_prompt=images, generator=torch.Generator().manual_seed(0),
    ).images  # fmt: skip


def test_a_new_adapter_is_the_identity(pipe):
    before = draw(pipe, "A Cat image.")
    adapters = add_adapters(pipe.unet, "new", rank=1, gate=Gate())
    for adapter in adapters.values():
        adapter.reset_parameters(torch.Generator().manual_seed(0))
    assert np.array_equal(before, draw(pipe, "A Cat image."))
    kinds = {name.rpartition(".new")[0].rpartition(".")[2] for name in adapters}
    assert {"to_q", "to_k", "to_v", "proj_in", "proj_out", "proj"} <= kinds
    assert all(adapter.down.any() and not adapter.up.any() for adapter in adapters.values())


def test_an_adapter_adds_up_down_x_times_its_gate(pipe):
    gate = Gate()
    adapters = add_adapters(pipe.unet, "new", rank=2, gate=gate)
    name, adapter = next((n, a) for n, a in adapters.items() if ".attn2.to_k." in n)
    layer = pipe.unet.get_submodule(name.removesuffix(".new"))
    adapter.down.data.normal_(generator=torch.Generator().manual_seed(0))
    adapter.up.data.normal_(generator=torch.Generator().manual_seed(1))
    x = torch.randn(4, 77, 32, generator=torch.Generator().manual_seed(2))
    gate.rows = torch.tensor([0.0, 0.5])  # a guided batch holds every prompt twice
    delta = x @ adapter.down.T @ adapter.up.T
    plain = x @ layer.weight.T
    expected = plain + torch.tensor([0.0, 0.5, 0.0, 0.5]).view(-1, 1, 1) * delta
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(layer(x)[0], torch.nn.functional.linear(x, layer.weight)[0])


def test_permeability_by_hand():
    target = torch.tensor([[3.0, 4.0]])
    prompts = torch.tensor([[[3.0, 4.0]], [[4.0, -3.0]], [[-3.0, -4.0]], [[4.0, -3.0]]])
    found = permeability(prompts, target, torch.tensor([0.0, 0.0, 0.0, 0.5]))
    torch.testing.assert_close(found, torch.tensor([1.0, 0.0, 0.0, 0.5]))


def test_anchors_have_about_the_targets_norm_and_no_direction_in_common():
    target = torch.randn(77, 32, generator=torch.Generator().manual_seed(0))
    anchors = random_anchors(target, 20, torch.Generator().manual_seed(1))
    ratio = anchors.flatten(1).norm(dim=1) / target.norm()
    assert ratio.min() >= 0.8
    assert ratio.max() <= 1.2
    cosine = torch.nn.functional.cosine_similarity(anchors.flatten(1), target.flatten()[None])
    assert cosine.abs().max() < 0.1


@pytest.mark.parametrize("released", [False, True])
def test_first_step_is_the_papers(pipe, task, released):
    eraser = SPM(
        **SMALL, rank=1, eta=0.7, anchor_weight=5.0, num_anchors=2, lr=1e-2, guidance_scale=1.0,
        style_prompt="{words} style", as_released=released,
    )  # fmt: skip
    reference = copy.deepcopy(pipe)
    eraser.erase(pipe, task)

    unet, generator = reference.unet, torch.Generator().manual_seed(task.seed)
    gate = Gate()
    adapters = add_adapters(unet, "spm_style_Pop_Art", rank=1, gate=gate)
    factors = []
    for adapter in adapters.values():
        bound = adapter.down[0].numel() ** -0.5
        drawn = torch.rand(adapter.down.shape, generator=generator)
        adapter.down.data = (2 * drawn - 1) * bound
        factors += [adapter.down, adapter.up]
    c, c_0 = hidden(reference, "Pop Art style"), hidden(reference, "")
    index = int(torch.randint(3, (), generator=generator))
    x = torch.randn(2, 4, 8, 8, generator=generator)
    scheduler = DDIMScheduler.from_config(reference.scheduler.config)
    scheduler.set_timesteps(3)
    with torch.no_grad():
        for step in range(index):  # a new adapter is the identity, so the student is the base
            t = scheduler.timesteps[step]
            x = scheduler.step(unet(x, t, c.repeat(2, 1, 1)).sample, t, x).prev_sample
        t = scheduler.timesteps[index]
        anchors = random_anchors(c[0], 2, generator)
        if released:
            anchors[0] = c_0[0]
        eps_c, eps_0 = (unet(x, t, e.repeat(2, 1, 1)).sample for e in (c, c_0))
        eps_a = unet(x, t, anchors).sample
    for factor in factors:
        factor.requires_grad_(True)
    optimizer = torch.optim.AdamW(factors, lr=1e-2)
    loss = mse(unet(x, t, c.repeat(2, 1, 1)).sample, eps_0 - 0.7 * (eps_c - eps_0))
    loss = loss + 5.0 * mse(unet(x, t, anchors).sample, eps_a)
    loss.backward()
    optimizer.step()
    own = dict(pipe.unet.named_parameters())
    for name, adapter in adapters.items():
        for factor in ("down", "up"):
            expected = getattr(adapter, factor).detach()
            torch.testing.assert_close(own[f"{name}.{factor}"], expected, rtol=0, atol=1e-3)
    assert any(adapter.up.any() for adapter in adapters.values())


def test_the_frozen_predictions_are_the_base_models_at_every_step(pipe, task, monkeypatch):
    base, seen = copy.deepcopy(pipe.unet), []

    def spy(*, eps_c, eps_0, eta):
        seen.append(eps_0)
        return negative_guidance(eps_c=eps_c, eps_0=eps_0, eta=eta)

    def sampled(*args, **kwargs):
        found = partial_sample(*args, **kwargs)
        drawn.append(found)
        return found

    drawn = []
    monkeypatch.setattr("erasers.spm.negative_guidance", spy)
    monkeypatch.setattr("erasers.spm.partial_sample", sampled)
    SPM(**{**SMALL, "steps": 3}, lr=1e-1, num_anchors=1, guidance_scale=1.0).erase(pipe, task)
    empty = hidden(pipe, "")
    for (x_t, t), eps_0 in zip(drawn, seen, strict=True):
        with torch.no_grad():
            expected = base(x_t, t, empty.repeat(len(x_t), 1, 1)).sample
        torch.testing.assert_close(eps_0, expected)
    assert len(seen) == 3


@pytest.fixture
def trained(pipe, task):
    eraser = SPM(**{**SMALL, "steps": 6}, lr=5e-2, anchor_weight=0.0, num_anchors=1)
    eraser.erase(pipe, task)
    return pipe


def test_prompts_are_let_through_by_how_near_they_are(trained, tiny_base):
    """Far prompts (gate 0) are drawn as by the base model, to the bit; the target is not."""
    gate = next(m for m in trained.unet.modules() if isinstance(m, LowRank)).gate
    trained.encode_prompt(["A Cat image in Pop Art style.", "A Cat image."], "cpu", 1, False)
    near, far = gate.rows.tolist()
    assert near == 1.0
    assert far < 1.0
    gate.rows = torch.zeros(1)
    x, t = torch.zeros(1, 4, 8, 8), torch.tensor(500)
    text = hidden(tiny_base, "A Cat image.")
    with torch.no_grad():
        assert torch.equal(trained.unet(x, t, text).sample, tiny_base.unet(x, t, text).sample)
    assert not np.array_equal(draw(trained, "Pop Art"), draw(tiny_base, "Pop Art"))


def test_a_prompt_is_gated_alike_alone_and_in_company(trained):
    alone = draw(trained, "A Cat image.")
    together = draw(trained, ["A Cat image.", "Pop Art"])
    np.testing.assert_allclose(alone[0], together[0], atol=2e-3)
    assert draw(trained, ["Pop Art", "Cat"], images=2).shape[0] == 4


def test_several_adapters_on_one_pipeline_add_up(tiny_base):
    """Both gates wide open: the layer's output is W x plus both products, no cross terms."""
    pipe = copy.deepcopy(tiny_base)
    targets = tuple(Concept(kind="style", name=name) for name in ("Pop Art", "Mosaic"))
    settings = {**SMALL, "steps": 4, "lr": 5e-2, "num_anchors": 1, "transport": False}
    SPM(**settings).erase(pipe, Task(targets=targets))
    state = snapshot(pipe)
    name = next(n for n in state if n.endswith("attn2.to_k.spm_style_Pop_Art.down"))
    path = name.removeprefix("unet.").removesuffix(".spm_style_Pop_Art.down")
    x = torch.randn(1, 77, 32, generator=torch.Generator().manual_seed(0))
    expected = x @ state[f"unet.{path}.weight"].T
    for slug in ("spm_style_Pop_Art", "spm_style_Mosaic"):
        down, up = (state[f"unet.{path}.{slug}.{factor}"] for factor in ("down", "up"))
        assert up.any()
        expected = expected + x @ down.T @ up.T
    found = pipe.unet.get_submodule(path)(x)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    fresh = copy.deepcopy(tiny_base)
    added = {key: tensor for key, tensor in state.items() if ".spm_" in key}
    SPM(**settings).restore(fresh, Task(targets=targets), added)
    assert np.array_equal(draw(pipe, "Cat"), draw(fresh, "Cat"))


def test_joint_targets_of_like_names_have_an_adapter_each(tiny_base):
    pipe, fresh = copy.deepcopy(tiny_base), copy.deepcopy(tiny_base)
    names = ("a.b", "a-b", "a_b_2", "a_b")
    task = Task(targets=tuple(Concept(kind="style", name=name) for name in names))
    settings = {**SMALL, "steps": 2, "lr": 5e-2, "num_anchors": 1, "transport": False}
    SPM(**settings).erase(pipe, task)
    added = {key: tensor for key, tensor in snapshot(pipe).items() if ".spm_" in key}
    first = "unet.down_blocks.0.attentions.0.proj_in.spm_style_a_b"
    ups = [added[f"{first}{suffix}.up"] for suffix in ("", "_2", "_2_2", "_3")]
    assert all(up.any() for up in ups)
    assert not any(torch.equal(ups[0], up) for up in ups[1:])
    SPM(**settings).restore(fresh, task, added)
    assert np.array_equal(draw(pipe, "Cat"), draw(fresh, "Cat"))


def test_embeddings_without_words_are_refused_rather_than_gated_by_the_last_prompt(trained):
    draw(trained, "Pop Art")
    embeds = hidden(trained, "A Cat image.")
    with pytest.raises(ValueError, match="needs the words of a prompt, got embeddings alone"):
        trained(
            prompt_embeds=embeds, negative_prompt_embeds=embeds, num_inference_steps=2,
            height=32, width=32, output_type="np",
        )  # fmt: skip
