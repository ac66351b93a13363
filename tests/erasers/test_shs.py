"""Scissorhands: what is trimmed, what is reinitialized, what the projection allows."""

import copy

import pytest
import torch

from erasers.shs import SHS, project
from tests.fixtures.transcription import assert_same, hidden, mse, noised, selected

SMALL = {
    "batch_size": 2, "forget_per_cell": 1, "retain_per_cell": 1, "parameters": "x-strict",
    "trimmed": "x-strict", "trim_batches": 1,
}  # fmt: skip


def test_projection_is_the_nearest_gradient_that_does_not_conflict():
    g, g_u = [torch.tensor([1.0, -2.0])], [torch.tensor([0.0, 1.0])]
    assert project(g, g_u)[0].tolist() == [1.0, 0.0]
    assert project(g, [torch.tensor([1.0, 0.0])])[0].tolist() == [1.0, -2.0]
    g, g_u = [torch.randn(5), torch.randn(3)], [torch.randn(5), torch.randn(3)]
    dot = sum(float((a * b).sum()) for a, b in zip(project(g, g_u), g_u, strict=True))
    assert dot >= -1e-5


@pytest.mark.parametrize(
    ("released", "forget_loss", "guidance"),
    [(False, "relabel", 0.0), (True, "relabel", 0.0), (True, "ascent", 7.5)],
)
def test_first_step_is_the_papers(training_images, pipe, task, released, forget_loss, guidance):
    eraser = SHS(**SMALL, steps=1, lr=1e-2, share=0.2, reset_std=0.05, alpha=0.4,
                 as_released=released, forget_loss=forget_loss,
                 trim_guidance=guidance)  # fmt: skip
    reference = copy.deepcopy(pipe)
    supplied = training_images.fulfil(pipe, eraser, task)
    eraser.erase(pipe, supplied)

    unet, generator = reference.unet, torch.Generator().manual_seed(task.seed)
    forget, retain = supplied.images["forget"], supplied.images["retain"]
    weights = selected(unet, "attn2.to_k", "attn2.to_v")

    def forget_rows():
        return [0, 1] if released else torch.randperm(2, generator=generator).tolist()

    rows = forget_rows()
    x_t, t, noise = noised(reference, forget.pixels[rows], generator)
    text = hidden(reference, *[forget.prompts[row] for row in rows])
    predicted = (1 + guidance) * unet(x_t, t, text).sample
    predicted = predicted - guidance * unet(x_t, t, hidden(reference, "", "")).sample
    grads = torch.autograd.grad(mse(predicted, noise), list(weights.values()))
    scores = [(w * g).abs() for w, g in zip(weights.values(), grads, strict=True)]
    everything = torch.cat([score.flatten() for score in scores])
    threshold = everything.sort(descending=True).values[round(0.2 * len(everything)) - 1]
    with torch.no_grad():
        for w, score in zip(weights.values(), scores, strict=True):
            drawn = 0.05 * torch.randn(w.shape, generator=generator)
            w[score >= threshold] = drawn[score >= threshold]

    rows = forget_rows()
    x_t, t, noise = noised(reference, forget.pixels[rows], generator)
    prompts = [forget.prompts[row] for row in rows]
    pseudo = [prompt.replace("Pop Art", "Photo") for prompt in prompts]
    goal = unet(x_t, t, hidden(reference, *pseudo)).sample.detach()
    answer = unet(x_t, t, hidden(reference, *prompts)).sample
    loss = mse(answer, goal) if forget_loss == "relabel" else -mse(answer, noise)
    g_u = torch.autograd.grad(loss, list(weights.values()))
    rows = torch.randperm(len(retain.prompts), generator=generator)[:2].tolist()
    x_t, t, noise = noised(reference, retain.pixels[rows], generator)
    text = hidden(reference, *[retain.prompts[row] for row in rows])
    g_r = torch.autograd.grad(mse(unet(x_t, t, text).sample, noise), list(weights.values()))
    g = [a + 0.4 * b for a, b in zip(g_r, g_u, strict=True)]
    dot = sum((a * b).sum() for a, b in zip(g, g_u, strict=True))
    if dot < 0 and not released:
        g = [a - dot / sum((c * c).sum() for c in g_u) * b for a, b in zip(g, g_u, strict=True)]
    optimizer = torch.optim.Adam(weights.values(), lr=1e-2)
    for w, grad in zip(weights.values(), g, strict=True):
        w.grad = grad
    optimizer.step()
    assert_same(pipe, weights, atol=5e-4)


def test_biases_that_are_trimmed_become_zero(training_images, tiny_base, pipe, task):
    eraser = SHS(**{**SMALL, "trimmed": "full"}, steps=1, lr=1e-9, share=1.0, reset_std=0.05)
    eraser.erase(pipe, training_images.fulfil(pipe, eraser, task))
    assert not pipe.unet.conv_in.bias.any()
    assert pipe.unet.conv_in.weight.std() == pytest.approx(0.05, rel=0.1)


def test_norms_are_never_reset(training_images, tiny_base, pipe, task):
    eraser = SHS(**{**SMALL, "trimmed": "full"}, steps=1, lr=1e-9, share=1.0)
    eraser.erase(pipe, training_images.fulfil(pipe, eraser, task))
    before = tiny_base.unet.state_dict()
    norms = [name for name in before if "norm" in name]
    for name, weight in pipe.unet.state_dict().items():
        assert torch.equal(weight, before[name]) == (name in norms), name
    assert len(norms) > 20
