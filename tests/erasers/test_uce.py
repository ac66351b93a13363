"""UCE against its equation."""

import copy

import pytest
import torch

from erasers.shared.embeddings import embed
from erasers.uce import UCE, closed_form, token_pairs
from unlearncanvas.types import Concept, Task


def test_target_goes_where_the_anchor_went_and_the_rest_stays():
    weight = torch.randn(5, 4, dtype=torch.float64)
    target, anchor, retain, free = torch.eye(4, dtype=torch.float64).split(1)
    new = weight @ closed_form(
        target=target, anchor=anchor, retain=retain, erase_scale=1.0, retain_scale=1.0, lam=1e-10
    )
    torch.testing.assert_close(new @ target[0], weight @ anchor[0])
    torch.testing.assert_close(new @ retain[0], weight @ retain[0])
    torch.testing.assert_close(new @ free[0], weight @ free[0])


def test_closed_form_by_hand():
    """One dimension: w' = w (lam + s_r p^2 + s_e a c) / (lam + s_r p^2 + s_e c^2)."""
    one = torch.ones(1, 1)
    factor = closed_form(
        target=2 * one, anchor=3 * one, retain=4 * one, erase_scale=5.0, retain_scale=0.5, lam=7.0
    )
    assert factor.item() == pytest.approx((7 + 0.5 * 16 + 5 * 6) / (7 + 0.5 * 16 + 5 * 4))


def test_closed_form_minimises_the_objective():
    """The gradient of the ridge objective vanishes at W'."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    weight, c, a, p = draw(3, 6), draw(2, 6), draw(2, 6), draw(4, 6)
    new = weight @ closed_form(
        target=c, anchor=a, retain=p, erase_scale=2.0, retain_scale=0.3, lam=0.5
    )
    new.requires_grad_(True)
    loss = 2.0 * (c @ new.T - a @ weight.T).square().sum()
    loss = loss + 0.3 * (p @ (new - weight).T).square().sum()
    loss = loss + 0.5 * (new - weight).square().sum()
    loss.backward()
    torch.testing.assert_close(new.grad, torch.zeros_like(new), atol=1e-9, rtol=0)


def test_an_anchor_equal_to_the_target_changes_nothing():
    c = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    identity = closed_form(target=c, anchor=c, retain=c, erase_scale=1.0, retain_scale=0.1, lam=0.5)
    torch.testing.assert_close(identity, torch.eye(6, dtype=torch.float64))


def test_token_policies(pipe):
    prompts = ["A Cat image in Pop Art style.", "An image in Photo style."]
    target, anchor, alone, nothing = embed(
        pipe, [*prompts, "Pop Art", ""], ["Pop Art", "Photo", "Pop Art", ""]
    )
    assert (target.last_subject, anchor.last_subject) == (6, 4)
    assert (alone.last_subject, nothing.last_subject) == (2, 0)
    ours, theirs = token_pairs(target, anchor, "subject_to_end")
    assert torch.equal(ours, target.tokens[6:])  # Art style . and the end
    assert torch.equal(theirs, anchor.tokens[4:75])
    with pytest.raises(ValueError, match=r"'Mosaic' are not in the prompt 'Pop Art': .*pop</w>"):
        embed(pipe, ["Pop Art"], ["Mosaic"])
    target, anchor = embed(pipe, ["Pop Art", "Photo"])
    assert (target.last_subject, anchor.last_subject) == (2, 1)
    ours, theirs = token_pairs(target, anchor, "subject_to_end")
    assert len(ours) == len(theirs) == 75
    assert torch.equal(ours, target.tokens[2:])
    assert torch.equal(theirs, anchor.tokens[1:76])
    ours, theirs = token_pairs(target, anchor, "last_subject")
    assert torch.equal(ours, target.tokens[2:3])
    assert torch.equal(theirs, anchor.tokens[1:2])


def test_erase_is_the_equation_written_out(pipe, task):
    """All layers, float64, from the published formula with explicit sums."""
    before = copy.deepcopy(pipe.unet.state_dict())
    UCE(tokens="last_subject", erase_scale=2.0, retain_scale=0.4, lam=0.3).erase(pipe, task)

    def token(prompt, words):
        ids = pipe.tokenizer(
            prompt, padding="max_length", max_length=77, return_tensors="pt"
        ).input_ids
        last = len(pipe.tokenizer(words).input_ids) - 2  # the prompts begin with the name
        return pipe.text_encoder(ids).last_hidden_state[0, last].double().detach()

    c, a = token("Pop Art style", "Pop Art"), token("Photo style", "Photo")
    retained = [("", ""), ("Photo style", "Photo"), ("Mosaic style", "Mosaic"), ("Cat", "Cat")]
    kept = [token(*pair) for pair in retained]
    for name, weight in pipe.unet.state_dict().items():
        if not (".attn2.to_k." in name or ".attn2.to_v." in name):
            continue
        w = before[name].double()
        left = 0.3 * w + 2.0 * torch.outer(w @ a, c)
        right = 0.3 * torch.eye(len(c), dtype=torch.float64) + 2.0 * torch.outer(c, c)
        for p in kept:
            left = left + 0.4 * torch.outer(w @ p, p)
            right = right + 0.4 * torch.outer(p, p)
        torch.testing.assert_close(weight.double(), left @ right.inverse(), rtol=1e-4, atol=1e-5)


def test_default_retain_scale_is_the_released_rule(tiny_base, task):
    automatic, explicit = copy.deepcopy(tiny_base), copy.deepcopy(tiny_base)
    UCE().erase(automatic, task)
    UCE(retain_scale=0.25).erase(explicit, task)  # 3 concepts and "": max(0.1, 1 / 4)
    for one, two in zip(automatic.unet.parameters(), explicit.unet.parameters(), strict=True):
        assert torch.equal(one, two)


def test_without_an_anchor_the_empty_prompt_is_it(tiny_base):
    target = Concept(kind="object", name="Cat")
    pipe = copy.deepcopy(tiny_base)
    UCE().erase(pipe, Task(targets=(target,)))
    changed = [
        name
        for (name, one), two in zip(
            pipe.unet.named_parameters(), tiny_base.unet.parameters(), strict=True
        )
        if not torch.equal(one, two)
    ]
    assert changed
