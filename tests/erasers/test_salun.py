"""SalUn against its equations: the mask masks, with the sign of the paper."""

import copy

import pytest
import torch

from erasers.salun import SalUn
from erasers.shared.training import top_fraction
from tests.fixtures.transcription import assert_same, hidden, mse, noised, selected

SMALL = {"batch_size": 2, "forget_per_cell": 1, "retain_per_cell": 1, "mask_batches": 1}


def test_the_mask_lets_the_most_salient_through():
    masks = top_fraction([torch.tensor([[0.1, 5.0]]), torch.tensor([3.0, 0.2])], 0.5)
    assert masks[0].tolist() == [[False, True]]
    assert masks[1].tolist() == [True, False]
    assert all(mask.all() for mask in top_fraction([torch.rand(3), torch.rand(2)], 1.0))
    assert sum(int(mask.sum()) for mask in top_fraction([torch.rand(100)], 1e-9)) == 1


@pytest.mark.parametrize("guidance", [0.0, 2.0])
def test_first_step_is_the_papers(training_images, pipe, task, guidance):
    eraser = SalUn(
        **SMALL, parameters="x", steps=1, lr=1e-2, alpha=0.3, share=0.25, mask_guidance=guidance
    )
    reference = copy.deepcopy(pipe)
    supplied = training_images.fulfil(pipe, eraser, task)
    eraser.erase(pipe, supplied)

    unet, generator = reference.unet, torch.Generator().manual_seed(task.seed)
    forget, retain = supplied.images["forget"], supplied.images["retain"]
    assert len(forget.prompts) == 2

    def batch(gallery, rows):
        return (
            *noised(reference, gallery.pixels[rows], generator),
            hidden(reference, *[gallery.prompts[row] for row in rows]),
        )

    weights = selected(unet, "attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out")
    rows = torch.randperm(2, generator=generator).tolist()
    x_t, t, noise, text = batch(forget, rows)
    guided = (1 + guidance) * unet(x_t, t, text).sample
    guided = guided - guidance * unet(x_t, t, hidden(reference, "", "")).sample
    grads = torch.autograd.grad(mse(guided, noise), list(weights.values()))
    everything = torch.cat([grad.abs().flatten() for grad in grads])
    threshold = everything.sort(descending=True).values[round(0.25 * len(everything)) - 1]
    masks = [grad.abs() >= threshold for grad in grads]

    rows = torch.randperm(2, generator=generator).tolist()
    x_t, t, _, text = batch(forget, rows)
    pseudo = [forget.prompts[row].replace("Pop Art", "Photo") for row in rows]
    goal = unet(x_t, t, hidden(reference, *pseudo)).sample.detach()
    loss = mse(unet(x_t, t, text).sample, goal)
    rows = torch.randperm(len(retain.prompts), generator=generator)[:2].tolist()
    x_t, t, noise, text = batch(retain, rows)
    loss = loss + 0.3 * mse(unet(x_t, t, text).sample, noise)
    optimizer = torch.optim.Adam(weights.values(), lr=1e-2)
    loss.backward()
    for weight, mask in zip(weights.values(), masks, strict=True):
        weight.grad *= mask
    optimizer.step()
    assert_same(pipe, weights, atol=5e-4)


def test_weights_outside_the_mask_do_not_move_at_all(training_images, tiny_base, pipe, task):
    eraser = SalUn(**SMALL, steps=4, lr=1e-3, share=0.1)
    eraser.erase(pipe, training_images.fulfil(pipe, eraser, task))
    moved = sum(
        int((one != two).sum())
        for one, two in zip(pipe.unet.parameters(), tiny_base.unet.parameters(), strict=True)
    )
    total = sum(weight.numel() for weight in pipe.unet.parameters())
    assert 0.05 * total < moved <= 0.101 * total


def test_as_released_moves_everything(training_images, tiny_base, pipe, task):
    eraser = SalUn(**SMALL, steps=2, lr=1e-3, share=0.1, as_released=True)
    eraser.erase(pipe, training_images.fulfil(pipe, eraser, task))
    moved = sum(
        int((one != two).sum())
        for one, two in zip(pipe.unet.parameters(), tiny_base.unet.parameters(), strict=True)
    )
    assert moved > 0.9 * sum(weight.numel() for weight in pipe.unet.parameters())
