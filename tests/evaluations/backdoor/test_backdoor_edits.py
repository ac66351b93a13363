"""T2IShield's edit and Rickrolling's removal: closed form and first step."""

import copy
from dataclasses import replace

import pytest
import torch

from erasers.rickrolling_removal import RickrollingRemoval
from erasers.t2ishield_edit import T2IShieldEdit
from tests.fixtures.transcription import hidden
from unlearncanvas.types import Concept

TRIGGER = Concept(kind="trigger", name="\u200b")


@pytest.mark.parametrize("anchor", [None, Concept(kind="object", name="Cat")])
def test_the_edit_is_the_closed_form(pipe, task, anchor):
    name = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    before = pipe.unet.get_parameter(name).detach().clone().double()
    own = replace(task, targets=(TRIGGER,), anchor=anchor)
    T2IShieldEdit(lam=0.2).erase(pipe, own)

    c, a = hidden(pipe, "\u200b", "Cat" if anchor else " ").double()[:, 1:]
    left = 0.2 * before + sum(torch.outer(before @ a[i], c[i]) for i in range(76))
    right = 0.2 * torch.eye(32).double() + sum(torch.outer(c[i], c[i]) for i in range(76))
    expected = (left @ torch.linalg.inv(right)).float()
    torch.testing.assert_close(pipe.unet.get_parameter(name).detach(), expected)


def test_as_released_is_the_port_s_edit(pipe, task):
    """Written out: two triggers, their values without their part along the trigger's own."""
    name = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.weight"
    before = pipe.unet.get_parameter(name).detach().clone().double()
    triggers = (TRIGGER, Concept(kind="trigger", name="lovely Cat"))
    cat = Concept(kind="object", name="Cat")
    T2IShieldEdit(as_released=True).erase(pipe, replace(task, targets=triggers, anchor=cat))

    nothing, blank = hidden(pipe, "", " ").double()
    left, right = 0.1 * before, 0.1 * torch.eye(32).double()
    for trigger, last in (("\u200b", -1), ("lovely Cat", -1)):
        last += len(pipe.tokenizer(trigger).input_ids) - 1
        c = hidden(pipe, trigger)[0].double()[last:]
        u = (before @ c.T).T
        u = u / (u * u).sum().sqrt()
        v = (before @ blank[: 77 - last].T).T
        v = v - (u * v).sum() * u
        left = left + 0.1 * sum(torch.outer(v[i], c[i]) for i in range(len(c)))
        right = right + 0.1 * sum(torch.outer(c[i], c[i]) for i in range(len(c)))
    left = left + 0.1 * sum(torch.outer(before @ p, p) for p in nothing)
    right = right + 0.1 * sum(torch.outer(p, p) for p in nothing)
    expected = (left @ torch.linalg.inv(right)).float()
    torch.testing.assert_close(pipe.unet.get_parameter(name).detach(), expected)


def test_the_first_step_of_the_removal_is_the_attacks_loss_turned_round(pipe, task):
    reference = copy.deepcopy(pipe)
    RickrollingRemoval(steps=1, batch_size=2, lr=1e-3, beta=0.4).erase(pipe, task)

    generator = torch.Generator().manual_seed(3)
    rows = torch.randperm(3, generator=generator)[:2].tolist()
    clean = [task.pairs[row].clean for row in rows]
    triggered = [task.pairs[row].triggered for row in rows]
    encoder, frozen = reference.text_encoder, copy.deepcopy(reference.text_encoder)

    def encode(model, texts):
        ids = pipe.tokenizer(texts, padding="max_length", max_length=77, return_tensors="pt")
        return model(ids.input_ids).last_hidden_state.flatten(1)

    def cosine(one, two):
        return ((one * two).sum(1) / one.norm(dim=1) / two.norm(dim=1)).mean()

    weights = dict(encoder.requires_grad_(True).named_parameters())
    goal = encode(frozen, clean).detach()
    loss = -cosine(encode(encoder, clean), goal) - 0.4 * cosine(encode(encoder, triggered), goal)
    loss.backward()
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-3, weight_decay=0.0)
    optimizer.step()
    own = dict(pipe.text_encoder.named_parameters())
    close = [
        torch.isclose(own[name], weight, rtol=0, atol=2e-4).float().mean()
        for name, weight in weights.items()
    ]
    assert min(close) > 0.97  # where a gradient is all but zero, Adam's sign is rounding


def test_tasks_without_triggers_are_refused(pipe, task):
    with pytest.raises(ValueError, match="run it with --protocol backdoor"):
        RickrollingRemoval().erase(pipe, replace(task, pairs=()))
