"""SKD, SKD-CAG and fine-tuning reversal: the attention loss by hand, first steps, refusals."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from erasers.finetune_reversal import FinetuneReversal
from erasers.shared.attention import captured_cross_attention
from erasers.shared.prompts import Alignment
from erasers.skd import SKD
from erasers.skd_cag import EPSILON, SKDCAG, attention_loss, token_maps
from tests.fixtures.transcription import hidden, mse
from unlearncanvas.pipelines.artifacts import changed_tensors, snapshot

ONE_STEP = {"steps": 1, "batch_size": 2, "lr": 1e-3}
SIDE = 16


def draw(pairs, seed=3):
    """The first step's prompts, noise and timesteps."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(pairs), generator=generator)[:2].tolist()
    x = torch.randn((2, 4, 8, 8), generator=generator)
    t = torch.randint(1000, (2,), generator=generator)
    return [pairs[row] for row in rows], x, t, generator


def test_a_map_is_the_mean_over_heads_summed_over_layers_and_scaled_token_by_token():
    # one image, two heads, four queries, two tokens
    one = torch.tensor([[[0.2, 0.8], [0.4, 0.6], [0.0, 1.0], [0.6, 0.4]],
                        [[0.2, 0.8], [0.0, 1.0], [0.4, 0.6], [0.6, 0.4]]])[None]  # fmt: skip
    two = torch.zeros(1, 1, 4, 2)
    two[0, 0, :, 0] = torch.tensor([0.0, 0.0, 0.0, 0.4])
    maps = token_maps([one, two], side=2)
    # token 0: means .2 .2 .2 .6, and the second layer adds .4 to the last: 0 0 0 1 once scaled
    expected = torch.tensor([[[[0.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 0.0]]]])
    torch.testing.assert_close(maps, expected, atol=3 * EPSILON, rtol=0)


def test_small_maps_are_enlarged_bilinearly():
    layer = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(1, 1, 4, 1)
    maps = token_maps([layer], side=4)
    torch.testing.assert_close(
        maps[0, 0, 0], torch.tensor([0.0, 0.25, 0.75, 1.0]), atol=3 * EPSILON, rtol=0
    )


def test_the_attention_loss_takes_triggers_to_the_goal_and_words_to_their_own_maps():
    student, frozen = torch.zeros(2, 5, 2, 2), torch.zeros(2, 5, 2, 2)
    canvas = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    student[0, 1] = 1.0  # trigger: three pixels of four are off by one
    student[0, 2] = 0.5  # word, 1 in the clean prompt, where the map is 0
    frozen[0, 2] = 7.0  # position of another word: not compared
    frozen[1, 4] = 2.0
    alignments = [
        Alignment([1], [(2, 1)]),
        Alignment([1, 2, 3], [(4, 4)]),  # three trigger tokens at 0: one pixel of four is off
    ]
    found = attention_loss(student, frozen, alignments, canvas)
    torch.testing.assert_close(found, torch.tensor([(0.75 + 0.25) / 2, (3 * 0.25 + 4.0) / 4]))


def test_the_attention_losss_gradient_reaches_the_trained_copy_and_not_the_frozen_one(pipe, task):
    frozen = copy.deepcopy(pipe.unet)
    pairs, x, t, _ = draw(task.pairs)
    text = hidden(pipe, *[pair.triggered for pair in pairs])
    pipe.unet.requires_grad_(True)
    frozen.requires_grad_(True)
    with torch.no_grad(), captured_cross_attention(frozen) as probs:
        frozen(x, t, text)
    wanted = token_maps(probs, SIDE)
    with captured_cross_attention(pipe.unet) as probs:
        pipe.unet(x, t, text)
    canvas = torch.zeros(SIDE, SIDE)
    loss = attention_loss(
        token_maps(probs, SIDE), wanted, [Alignment([1, 2], [(3, 1)])] * 2, canvas
    )
    loss.mean().backward()
    queries = [w for name, w in pipe.unet.named_parameters() if "attn2.to_q" in name]
    assert queries
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in queries)
    assert all(weight.grad is None for weight in frozen.parameters())


def maps_by_hand(unet, x, t, text):
    """Prediction, and the maps from the outputs of every query and key projection."""
    kept, hooks = {}, []
    for name, module in unet.named_modules():
        if name.endswith(("attn2.to_q", "attn2.to_k")):
            hooks.append(
                module.register_forward_hook(
                    lambda _, __, output, name=name: kept.__setitem__(name, output)
                )
            )
    prediction = unet(x, t, text).sample
    for hook in hooks:
        hook.remove()
    total = 0
    for name in [name for name in kept if name.endswith("to_q")]:
        attn = unet.get_submodule(name.removesuffix(".to_q"))
        q, k = (
            part.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for part in (kept[name], kept[name.replace("to_q", "to_k")])
        )
        probs = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1).mean(1)
        side = int(probs.shape[1] ** 0.5)
        image = probs.transpose(1, 2).reshape(len(x), -1, side, side)
        total = total + torch.nn.functional.interpolate(image, (SIDE, SIDE), mode="bilinear")
    low = total.flatten(2).min(2).values[..., None, None]
    high = total.flatten(2).max(2).values[..., None, None]
    return prediction, (total - low) / (high - low + EPSILON)


@pytest.mark.parametrize("method", ["skd", "reversal", "noise", "black", "weighted"])
def test_first_step_is_the_papers(pipe, task, method):
    reference = copy.deepcopy(pipe)
    eraser = {
        "skd": SKD(**ONE_STEP),
        "reversal": FinetuneReversal(**ONE_STEP),
        "noise": SKDCAG(**ONE_STEP, alpha=0.3, map_side=SIDE),
        "black": SKDCAG(**ONE_STEP, alpha=0.3, map_side=SIDE, goal="black"),
        "weighted": SKDCAG(**ONE_STEP, alpha=0.3, map_side=SIDE, timestep_weight=True),
    }[method]
    eraser.erase(pipe, task)

    pairs, x, t, generator = draw(task.pairs)
    unet, frozen = reference.unet, copy.deepcopy(reference.unet)
    triggered = hidden(reference, *[pair.triggered for pair in pairs])
    clean = hidden(reference, *[pair.clean for pair in pairs])
    weights = dict(unet.requires_grad_(True).named_parameters())
    with torch.no_grad():
        if method == "reversal":
            goal = task.clean_unet(x, t, triggered).sample
        else:
            goal, wanted = maps_by_hand(frozen, x, t, clean)
    prediction, found = maps_by_hand(unet, x, t, triggered)
    loss = mse(prediction, goal)
    if method in ("noise", "black", "weighted"):
        canvas = torch.zeros(SIDE, SIDE)
        if method != "black":
            canvas = torch.rand(SIDE, SIDE, generator=generator)
        guidance = []
        for row, pair in enumerate(pairs):
            words = len(reference.tokenizer(pair.clean, add_special_tokens=False).input_ids)
            terms = [mse(found[row, column], canvas) for column in (1, 2, 3)]  # U+200B: three bytes
            terms += [mse(found[row, 4 + i], wanted[row, 1 + i]) for i in range(words)]
            weight = t[row] / 1000 if method == "weighted" else 1.0
            guidance.append(weight * sum(terms) / len(terms))
        loss = 0.3 * sum(guidance) / len(guidance) + 0.7 * loss
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-3, weight_decay=0.01)
    loss.backward()
    optimizer.step()
    assert closeness(pipe.unet, weights) > 0.98


def closeness(unet, expected):
    """Share of weights that agree; where a gradient is all but zero, Adam's sign is rounding."""
    own = dict(unet.named_parameters())
    shares = [
        torch.isclose(own[name], weight, rtol=0, atol=2e-4).float().mean()
        for name, weight in expected.items()
    ]
    return float(np.mean(shares))


def test_attention_alone_moves_the_keys_and_the_release_moves_nothing(pipe, tiny_base, task):
    settings = {**ONE_STEP, "alpha": 1.0, "weight_decay": 0.0, "map_side": SIDE}
    before = snapshot(pipe)
    SKDCAG(**settings).erase(pipe, task)
    assert any("attn2.to_k" in name for name in changed_tensors(pipe, before))
    released = copy.deepcopy(tiny_base)
    SKDCAG(**settings, as_released=True).erase(released, task)
    assert not changed_tensors(released, before)


def test_released_guidance_is_the_prediction_loss_alone(pipe, tiny_base, task):
    other = copy.deepcopy(tiny_base)
    settings = {"steps": 2, "batch_size": 2, "lr": 1e-3}
    SKDCAG(**settings, alpha=0.5, as_released=True).erase(pipe, task)
    SKD(**settings, ema_decay=0.5).erase(other, task)
    assert closeness(pipe.unet, dict(other.unet.named_parameters())) > 0.98


def test_random_words_stand_in_the_triggers_place(pipe, task):
    pairs, x, t, generator = draw(task.pairs)
    eraser = SKDCAG(goal="random-words", words=("cat",))
    found = [Alignment([1, 2, 3], [(4, 1)])] * 2
    batch = replace_words(pairs, x, t)
    text, everything = eraser._with_words(pipe, batch, found, generator)
    prompts = [f"cat cat cat {pair.clean}" for pair in pairs]
    torch.testing.assert_close(text, hidden(pipe, *prompts))
    assert everything[0] == Alignment([], [(1, 1), (2, 2), (3, 3), (4, 4)])


def replace_words(pairs, x, t):
    from erasers.shared.distillation import Batch

    nothing = torch.zeros(2, 77, 32)
    return Batch(pairs, nothing, nothing, x, t, t / 1000)


def test_the_average_follows_slowly(pipe, tiny_base, task):
    settings = {"steps": 6, "batch_size": 2, "lr": 1e-3}
    last = copy.deepcopy(tiny_base)
    SKD(**settings, ema_decay=0.0).erase(last, task)
    SKD(**settings).erase(pipe, task)
    name = "conv_in.weight"
    start = tiny_base.unet.get_parameter(name)
    assert torch.dist(pipe.unet.get_parameter(name), start) < torch.dist(
        last.unet.get_parameter(name), start
    )


def test_tasks_that_lack_what_is_needed_are_refused(pipe, task):
    for eraser in (SKD(), SKDCAG(), FinetuneReversal()):
        with pytest.raises(ValueError, match="run it with --protocol backdoor"):
            eraser.erase(pipe, replace(task, pairs=()))
    with pytest.raises(ValueError, match="needs the clean model"):
        FinetuneReversal(**ONE_STEP).erase(pipe, replace(task, clean_unet=None))


def test_random_words_need_words():
    with pytest.raises(ValueError, match="needs words to draw from"):
        SKDCAG(goal="random-words", words=())
