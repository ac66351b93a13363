"""EraseDiff against its rule for lambda, and its first step."""

import copy
import math

import pytest
import torch

from erasers.ediff import EDiff, constraint_weight
from tests.fixtures.transcription import assert_same, hidden, mse, noised, selected

SMALL = {"batch_size": 2, "forget_per_cell": 1, "retain_per_cell": 1, "parameters": "x-strict"}


def weight(rule, *, g_r, g_q, eta=0.5, lam=3.0):
    g_r, g_q = torch.tensor(g_r), torch.tensor(g_q)
    return constraint_weight(
        dot=float(g_r @ g_q), ordinary=float(g_r.norm()), constraint=float(g_q.norm()),
        rule=rule, eta=eta, lam=lam,
    )  # fmt: skip


def test_bome_goes_down_the_constraint_by_exactly_eta():
    """<g_r + lambda g_q, g_q> = eta ||g_q||^2 whenever lambda > 0."""
    for g_r in ([1.0, 0.0], [-3.0, 0.2], [0.1, -0.4]):
        g_q = [0.5, 2.0]
        lam = weight("bome", g_r=g_r, g_q=g_q)
        step = torch.tensor(g_r) + lam * torch.tensor(g_q)
        assert lam > 0
        assert float(step @ torch.tensor(g_q)) == pytest.approx(0.5 * 4.25)


def test_bome_is_idle_where_the_retain_loss_does_the_work():
    assert weight("bome", g_r=[1.0, 4.0], g_q=[0.5, 2.0]) == 0.0


def test_the_other_rules():
    assert weight("cosine", g_r=[1.0, 1.0], g_q=[1.0, 0.0], eta=1.0) == pytest.approx(
        1 - 1 / math.sqrt(2)
    )
    assert weight("fixed", g_r=[1.0, 0.0], g_q=[1.0, 0.0]) == 3.0
    assert weight("bome", g_r=[1.0, 0.0], g_q=[0.0, 0.0]) == 0.0
    assert weight("cosine", g_r=[0.0, 0.0], g_q=[1.0, 0.0]) == 0.0


@pytest.mark.parametrize("rule", ["bome", "cosine", "fixed"])
def test_first_step_is_the_papers(training_images, pipe, task, rule):
    eraser = EDiff(**SMALL, steps=1, lr=1e-2, rule=rule, eta=0.8, lam=0.6)
    reference = copy.deepcopy(pipe)
    supplied = training_images.fulfil(pipe, eraser, task)
    eraser.erase(pipe, supplied)

    unet, generator = reference.unet, torch.Generator().manual_seed(task.seed)
    forget, retain = supplied.images["forget"], supplied.images["retain"]
    weights = selected(unet, "attn2.to_k", "attn2.to_v")
    rows = torch.randperm(2, generator=generator).tolist()
    x_t, t, _ = noised(reference, forget.pixels[rows], generator)
    prompts = [forget.prompts[row] for row in rows]
    pseudo = [prompt.replace("Pop Art", "Photo") for prompt in prompts]
    goal = unet(x_t, t, hidden(reference, *pseudo)).sample.detach()
    q = mse(unet(x_t, t, hidden(reference, *prompts)).sample, goal)
    g_q = torch.autograd.grad(q, list(weights.values()))
    rows = torch.randperm(len(retain.prompts), generator=generator)[:2].tolist()
    x_t, t, noise = noised(reference, retain.pixels[rows], generator)
    text = hidden(reference, *[retain.prompts[row] for row in rows])
    g_r = torch.autograd.grad(mse(unet(x_t, t, text).sample, noise), list(weights.values()))
    dot = sum((a * b).sum() for a, b in zip(g_r, g_q, strict=True))
    norm_r, norm_q = (sum((a * a).sum() for a in g).sqrt() for g in (g_r, g_q))
    lam = {
        "bome": max(0, 0.8 - dot / norm_q**2),
        "cosine": max(0, 0.8 - dot / (norm_q * norm_r)),
        "fixed": 0.6,
    }[rule]
    optimizer = torch.optim.Adam(weights.values(), lr=1e-2)
    for parameter, a, b in zip(weights.values(), g_r, g_q, strict=True):
        parameter.grad = a + lam * b
    optimizer.step()
    assert_same(pipe, weights, atol=5e-4)


def test_as_released_sees_the_first_batch_only(training_images, pipe, task):
    """Without the other image of the forget set nothing changes, as it is never read."""
    settings = {**SMALL, "batch_size": 1, "steps": 3, "lr": 1e-2}
    for released in (True, False):
        eraser = EDiff(**settings, as_released=released)
        one, two = copy.deepcopy(pipe), copy.deepcopy(pipe)
        supplied = training_images.fulfil(pipe, eraser, task)
        eraser.erase(one, supplied)
        supplied.images["forget"].pixels[1] = 0
        eraser.erase(two, supplied)
        same = all(
            torch.equal(a, b)
            for a, b in zip(one.unet.parameters(), two.unet.parameters(), strict=True)
        )
        assert same == released
