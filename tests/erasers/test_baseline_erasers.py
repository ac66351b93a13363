"""GA and FT: the same loss, the other way round, on the other images."""

import copy

import pytest
import torch

from erasers.ft import FT
from erasers.ga import GA
from tests.fixtures.transcription import assert_same, hidden, mse, noised


@pytest.mark.parametrize(("eraser", "name", "sign"), [(GA, "forget", -1), (FT, "retain", 1)])
def test_first_step_is_adam_on_the_denoising_loss(training_images, pipe, task, eraser, name, sign):
    settings = eraser(steps=1, lr=1e-3, batch_size=2, forget_per_cell=1, retain_per_cell=1)
    reference = copy.deepcopy(pipe)
    supplied = training_images.fulfil(pipe, settings, task)
    settings.erase(pipe, supplied)

    gallery, generator = supplied.images[name], torch.Generator().manual_seed(task.seed)
    assert all(("Pop Art" in prompt) == (name == "forget") for prompt in gallery.prompts)
    rows = torch.randperm(len(gallery.prompts), generator=generator)[:2].tolist()
    x_t, t, noise = noised(reference, gallery.pixels[rows], generator)
    text = hidden(reference, *[gallery.prompts[row] for row in rows])
    weights = dict(reference.unet.requires_grad_(True).named_parameters())
    optimizer = torch.optim.Adam(weights.values(), lr=1e-3)
    (sign * mse(reference.unet(x_t, t, text).sample, noise)).backward()
    optimizer.step()
    assert_same(pipe, weights, atol=3e-4)


@pytest.mark.parametrize("eraser", [GA, FT])
def test_the_loss_goes_where_it_should(training_images, pipe, task, eraser):
    settings = eraser(steps=20, lr=1e-3, batch_size=4, forget_per_cell=1, retain_per_cell=1)
    supplied, before = training_images.fulfil(pipe, settings, task), copy.deepcopy(pipe)
    settings.erase(pipe, supplied)
    (gallery,) = supplied.images.values()
    text = hidden(pipe, *gallery.prompts)
    x_t, t, noise = noised(pipe, gallery.pixels, torch.Generator().manual_seed(77))
    with torch.no_grad():
        old, new = (mse(p.unet(x_t, t, text).sample, noise) for p in (before, pipe))
    assert (new > 1.05 * old) if eraser is GA else (new < 0.95 * old)
