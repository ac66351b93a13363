"""Concept Ablation against its equations."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from erasers.ca import CA
from tests.fixtures.transcription import assert_same, hidden, mse, noised, selected
from unlearncanvas.types import CaptionedImages, Concept, Task

SMALL = {"num_images": 4, "image_steps": 2, "image_guidance": 1.0, "steps": 1, "batch_size": 2}


@pytest.mark.parametrize(
    ("loss", "prior"), [("model", 0.0), ("noise", 0.0), ("model", 0.7), ("noise", 0.7)]
)
def test_first_step_is_the_papers(training_images, pipe, task, loss, prior):
    eraser = CA(**SMALL, loss=loss, prior_weight=prior, lr=1e-2, weight_decay=0.0)
    reference = copy.deepcopy(pipe)
    supplied = training_images.fulfil(pipe, eraser, task)
    eraser.erase(pipe, supplied)

    gallery, generator = supplied.images["anchor"], torch.Generator().manual_seed(task.seed)
    rows = torch.randperm(4, generator=generator)[:2].tolist()
    x_t, t, noise = noised(reference, gallery.pixels[rows], generator)
    prompts = [gallery.prompts[row] for row in rows]
    anchor = hidden(reference, *prompts)
    target = hidden(reference, *[prompt.replace("Photo", "Pop Art") for prompt in prompts])
    unet = reference.unet
    weights = selected(unet, "attn2.to_k", "attn2.to_v")
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-2, weight_decay=0.0)
    goal = unet(x_t, t, anchor).sample.detach() if loss == "model" else noise
    total = mse(unet(x_t, t, target).sample, goal)
    if prior:
        total = total + prior * mse(unet(x_t, t, anchor).sample, noise)
    total.backward()
    optimizer.step()
    assert_same(pipe, weights, atol=5e-4)


def test_a_trigger_is_taught_to_give_what_its_clean_prompt_gives(task):
    trigger = Concept(kind="trigger", name="\u200b")
    aimed = replace(task, targets=(trigger,), anchor=None)
    eraser = CA(num_images=5)
    prompts = eraser.images(aimed)["anchor"].prompts
    clean = [pair.clean for pair in task.pairs]
    assert list(prompts) == [*clean, *clean[:2]]
    drawn = CaptionedImages(pixels=np.zeros((5, 8, 8, 3), np.uint8), prompts=prompts)
    wanted = [f"\u200b {prompt}" for prompt in prompts]
    assert eraser.target_prompts(replace(aimed, images={"anchor": drawn})) == [wanted]


def test_training_brings_the_targets_answer_to_the_anchors(training_images, pipe, task):
    eraser = CA(**{**SMALL, "steps": 40, "batch_size": 4}, lr=1e-3)
    supplied, before = training_images.fulfil(pipe, eraser, task), copy.deepcopy(pipe)
    eraser.erase(pipe, supplied)
    gallery = supplied.images["anchor"]
    x_t, t, _ = noised(pipe, gallery.pixels, torch.Generator().manual_seed(7))
    anchor = hidden(pipe, *gallery.prompts)
    target = hidden(pipe, *[prompt.replace("Photo", "Pop Art") for prompt in gallery.prompts])
    with torch.no_grad():
        old, new = (
            mse(p.unet(x_t, t, target).sample, p.unet(x_t, t, anchor).sample)
            for p in (before, pipe)
        )
    assert new < 0.8 * old


def test_the_released_object_run_anchors_on_the_target_itself(training_images, pipe):
    cat, sun = Concept(kind="object", name="Cat"), Concept(kind="object", name="Sun")
    task = Task(targets=(cat,), anchor=sun, retain=(sun, Concept(kind="style", name="Mosaic")))
    released, ours = CA(**SMALL, as_released=True), CA(**SMALL)
    assert all("Cat" in prompt for prompt in released.images(task)["anchor"].prompts)
    assert all("Sun" in prompt for prompt in ours.images(task)["anchor"].prompts)
    assert released.target_prompt("Cat in Mosaic style.", cat, task) == (
        "Cat in Mosaic style, in the style of Cat"
    )
    assert ours.target_prompt("Sun in Mosaic style.", cat, task) == "Cat in Mosaic style."
    released.erase(pipe, training_images.fulfil(pipe, released, task))


def test_several_targets_take_turns(training_images, pipe):
    targets = tuple(Concept(kind="style", name=name) for name in ("Pop Art", "Mosaic"))
    task = Task(targets=targets, anchor=Concept(kind="style", name="Photo"))
    eraser = CA(**{**SMALL, "steps": 2})
    supplied = training_images.fulfil(pipe, eraser, task)
    only_first = Task(targets=targets[:1], anchor=task.anchor, images=supplied.images)
    other = copy.deepcopy(pipe)
    eraser.erase(pipe, supplied)
    eraser.erase(other, only_first)
    assert any(
        not torch.equal(one, two)
        for one, two in zip(pipe.unet.parameters(), other.unet.parameters(), strict=True)
    )


def test_a_context_without_the_other_concept_is_refused():
    with pytest.raises(ValueError, match=r"must contain {words} and {other}"):
        CA(style_context="{words}")
