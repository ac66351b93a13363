"""ESD against its equation, and its first step against a literal transcription."""

import copy

import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

from erasers.esd import ESD, negative_guidance
from erasers.shared.latents import partial_sample
from unlearncanvas.types import Concept, Task


def test_negative_guidance_moves_away_from_the_prompt():
    eps_c, eps_0 = torch.tensor([3.0, 1.0]), torch.tensor([1.0, 1.0])
    assert negative_guidance(eps_c=eps_c, eps_0=eps_0, eta=1.0).tolist() == [-1.0, 1.0]
    assert negative_guidance(eps_c=eps_c, eps_0=eps_0, eta=0.5).tolist() == [0.0, 1.0]


def hidden(pipe, prompt):
    ids = pipe.tokenizer(prompt, padding="max_length", max_length=77, return_tensors="pt").input_ids
    return pipe.text_encoder(ids).last_hidden_state


@pytest.mark.parametrize("kind", ["style", "object"])
def test_first_step_is_the_papers(pipe, kind):
    prompts = {"style": "An image in Pop Art style.", "object": "A Pop Art image."}
    eraser = ESD(
        parameters="x-strict", eta=0.7, steps=1, lr=1e-2, batch_size=2, guidance_scale=3.0,
        num_inference_steps=4, style_prompt="An image in {words} style.",
        object_prompt="A {words} image.",
    )  # fmt: skip
    reference = copy.deepcopy(pipe)
    task = Task(targets=(Concept(kind=kind, name="Pop_Art"),), seed=5)
    eraser.erase(pipe, task)

    # written out: noise, i of 4 guided steps with the student, the goal, one step of Adam
    unet, frozen = reference.unet, copy.deepcopy(reference.unet)
    c, c_0 = hidden(reference, prompts[kind]), hidden(reference, "")
    generator = torch.Generator().manual_seed(5)
    index = int(torch.randint(4, (), generator=generator))
    x = torch.randn(2, 4, 8, 8, generator=generator)
    scheduler = DDIMScheduler.from_config(reference.scheduler.config)
    scheduler.set_timesteps(4)
    with torch.no_grad():
        for step in range(index):
            t = scheduler.timesteps[step]
            eps_0 = unet(x, t, c_0.repeat(2, 1, 1)).sample
            eps = unet(x, t, c.repeat(2, 1, 1)).sample
            x = scheduler.step(eps_0 + 3.0 * (eps - eps_0), t, x).prev_sample
        t = scheduler.timesteps[index]
        eps_0 = frozen(x, t, c_0.repeat(2, 1, 1)).sample
        eps_c = frozen(x, t, c.repeat(2, 1, 1)).sample
        goal = eps_0 - 0.7 * (eps_c - eps_0)
    trained = {n: w for n, w in unet.named_parameters() if "attn2.to_k" in n or "attn2.to_v" in n}
    for weight in trained.values():
        weight.requires_grad_(True)
    optimizer = torch.optim.Adam(trained.values(), lr=1e-2)
    ((unet(x, t, c.repeat(2, 1, 1)).sample - goal) ** 2).mean().backward()
    optimizer.step()

    after = dict(pipe.unet.named_parameters())
    for name, weight in trained.items():
        torch.testing.assert_close(
            after[name], weight.detach(), rtol=0, atol=2e-4
        )  # a step is 1e-2


def test_timestep_is_the_level_of_the_latents(pipe):
    """A perfect denoiser: the latents after i steps are x_0 and the noise at exactly level t."""

    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    text = hidden(pipe, "x").detach()
    pipe.unet.forward = lambda sample, t, text: UNet2DConditionOutput(
        sample=noise.expand_as(sample)
    )
    levels = set()
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        x_t, t = partial_sample(
            pipe, pipe.unet, concept=text, empty=text, guidance_scale=1.0, num_inference_steps=5,
            generator=generator,
        )  # fmt: skip
        replay = torch.Generator().manual_seed(seed)
        torch.randint(5, (), generator=replay)
        start = torch.randn(1, 4, 8, 8, generator=replay)
        scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
        scheduler.set_timesteps(5)
        alpha = scheduler.alphas_cumprod
        first = alpha[scheduler.timesteps[0]]
        x_0 = (start - (1 - first).sqrt() * noise) / first.sqrt()
        torch.testing.assert_close(
            x_t, alpha[t].sqrt() * x_0 + (1 - alpha[t]).sqrt() * noise, rtol=1e-3, atol=1e-3
        )
        levels.add(int(t))
    assert len(levels) >= 4


def test_training_lowers_its_own_loss(pipe, task):
    """After some steps the student is nearer to the goal than the frozen model is."""
    frozen = copy.deepcopy(pipe.unet)
    ESD(steps=30, lr=3e-3, batch_size=2, num_inference_steps=4).erase(pipe, task)
    c, c_0 = hidden(pipe, "Pop Art style"), hidden(pipe, "")
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(7))
    t = torch.tensor(501)
    with torch.no_grad():
        eps_c, eps_0 = frozen(x, t, c).sample, frozen(x, t, c_0).sample
        goal = negative_guidance(eps_c=eps_c, eps_0=eps_0, eta=1.0)
        after = (pipe.unet(x, t, c).sample - goal).square().mean()
        before = (eps_c - goal).square().mean()
    assert after < 0.8 * before


def test_a_prompt_without_the_words_is_refused():
    with pytest.raises(ValueError, match=r"must contain {words}"):
        ESD(style_prompt="no place holder")
