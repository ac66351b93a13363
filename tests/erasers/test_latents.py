"""Noised images: the forward process, every image seen, both prediction types."""

import itertools

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, PNDMScheduler

from erasers.shared.embeddings import encode_prompts
from erasers.shared.latents import batches, encode, first_batch, partial_sample
from tests.fixtures.transcription import hidden, noised
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.pipelines.sampling import build_scheduler
from unlearncanvas.types import CaptionedImages


@pytest.fixture
def gallery():
    pixels = torch.randint(256, (5, 32, 32, 3), generator=torch.Generator().manual_seed(0))
    return CaptionedImages(pixels=pixels.to(torch.uint8).numpy(), prompts=list("abcab"))


def test_noised_latents_are_the_forward_process(pipe, gallery):
    found = encode(pipe, gallery).noised(torch.tensor([3, 1]), torch.Generator().manual_seed(4))
    x_t, t, noise = noised(pipe, gallery.pixels[[3, 1]], torch.Generator().manual_seed(4))
    torch.testing.assert_close(found.x_t, x_t, rtol=1e-4, atol=1e-4)
    assert torch.equal(found.t, t)
    assert torch.equal(found.goal, noise)


def test_a_velocity_model_is_asked_for_the_velocity(pipe, gallery):
    pipe.scheduler = DDIMScheduler.from_config(
        pipe.scheduler.config, prediction_type="v_prediction"
    )
    images = encode(pipe, gallery)
    found = images.noised(torch.tensor([0]), torch.Generator().manual_seed(4))
    x_t, t, noise = noised(pipe, gallery.pixels[:1], torch.Generator().manual_seed(4))
    alpha = pipe.scheduler.alphas_cumprod[t].view(-1, 1, 1, 1)
    x_0 = (x_t - (1 - alpha).sqrt() * noise) / alpha.sqrt()
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * x_0
    torch.testing.assert_close(found.goal, velocity, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("cls", [PNDMScheduler, DPMSolverMultistepScheduler])
def test_latents_of_a_pipeline_saved_with_another_scheduler_are_not_clipped(pipe, gallery, cls):
    """Its config names no ``clip_sample``, and DDIM defaults it to True."""
    said = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    extra = {"set_alpha_to_one": False} if cls is PNDMScheduler else {}
    text = hidden(pipe, "Cat")
    own = DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1, **said)

    def latents(scheduler):
        pipe.scheduler = scheduler
        found = partial_sample(
            pipe, pipe.unet, concept=text, empty=text, guidance_scale=1.0,
            num_inference_steps=50, generator=torch.Generator().manual_seed(6),
        )  # fmt: skip
        sampler = load_protocol("mini").sampler.model_copy(update={"scheduler": "DDIMScheduler"})
        return found, build_scheduler(pipe, sampler), encode(pipe, gallery).scheduler

    (x_t, t), *built = latents(own)
    (other, level), *found = latents(cls(steps_offset=1, **extra, **said))
    assert t == level < 500
    torch.testing.assert_close(other, x_t, rtol=1e-3, atol=1e-3)
    assert x_t.std() > 1
    assert not any(scheduler.config.clip_sample for scheduler in (*built, *found))


def test_every_image_is_seen_once_an_epoch_in_changing_order():
    rows = batches(6, 4, torch.Generator().manual_seed(0))
    epochs = torch.cat(list(itertools.islice(rows, 6))).view(4, 6)
    assert all(sorted(epoch.tolist()) == list(range(6)) for epoch in epochs)
    assert len({tuple(epoch.tolist()) for epoch in epochs}) > 1


def test_batches_larger_than_the_set_repeat_it():
    rows = next(batches(2, 5, torch.Generator().manual_seed(0)))
    assert sorted(rows[:4].tolist()) == [0, 0, 1, 1]
    assert len(rows) == 5


def test_the_released_loader_never_gets_past_its_first_batch():
    rows = list(itertools.islice(first_batch(6, 4, torch.Generator()), 3))
    assert [row.tolist() for row in rows] == [[0, 1, 2, 3]] * 3


def test_texts_encodes_each_prompt_once(pipe):
    seen = []
    pipe.text_encoder.register_forward_hook(lambda module, args, output: seen.append(args))
    found = encode_prompts(pipe, ["Cat", "Sun", "Cat"])
    assert len(seen) == 1
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])
