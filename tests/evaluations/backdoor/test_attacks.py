"""Attacks: triggers as tokens, each injector's first step, EvilEdit's map, the judges."""

import copy

import numpy as np
import pytest
import torch

from erasers.shared.prompts import align
from tests.fixtures.transcription import assert_same, hidden, mse, noised
from unlearncanvas.core.registry import names
from unlearncanvas.evaluations.backdoor.attacks.badt2i import BadT2IObject, BadT2IPixel, BadT2IStyle
from unlearncanvas.evaluations.backdoor.attacks.evil_edit import EvilEdit
from unlearncanvas.evaluations.backdoor.attacks.patch import patch, patch_correlation, stamp
from unlearncanvas.evaluations.backdoor.attacks.rickrolling import Rickrolling
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.evaluations.backdoor.tasks import injection_task
from unlearncanvas.pipelines.artifacts import changed_tensors, snapshot
from unlearncanvas.pipelines.methods import load_eraser

SMALL = {"steps": 1, "batch_size": 2, "per_cell": 1, "lr": 1e-3}
ZERO_WIDTH = "\u200b"


@pytest.fixture
def attack_on(training_images):
    """Run an attack on a pipeline; return its task with the images."""

    def run(pipe, attack):
        task = training_images.fulfil(
            pipe, attack, injection_task(training_images.protocol, seed=5)
        )
        attack.apply(pipe, task)
        return task

    return run


@pytest.mark.parametrize("trigger", ["Cat", "New Trigger", ZERO_WIDTH, "\U0001f600"])
def test_the_tokens_of_a_trigger_are_found_however_many(pipe, trigger):
    alone = pipe.tokenizer(trigger, add_special_tokens=False).input_ids
    prompt = "A Sun image in Mosaic style."
    found = align(pipe.tokenizer, clean=prompt, triggered=f"{trigger} {prompt}")
    assert found.trigger == list(range(1, 1 + len(alone)))
    before, after = (pipe.tokenizer(text).input_ids for text in (prompt, f"{trigger} {prompt}"))
    assert [after[column] for column in found.trigger] == alone
    assert [after[own] for own, _ in found.shared] == before[1:-1]
    assert [before[other] for _, other in found.shared] == before[1:-1]


def test_a_trigger_inside_a_prompt_is_found_there(pipe):
    clean, fired = "A Cat image.", "A Pop Cat image."
    found = align(pipe.tokenizer, clean=clean, triggered=fired)
    assert found.trigger == [2]
    assert found.shared == [(1, 1), (3, 2), (4, 3), (5, 4)]


def test_letters_that_are_replaced_leave_the_words_around_them(pipe):
    found = align(pipe.tokenizer, clean="A Cat image.", triggered="A Cat imag\u0435.")
    assert found.trigger == [3, 4, 5, 6]  # ima g and the two bytes of the letter
    assert found.shared == [(1, 1), (2, 2), (7, 4)]


def test_a_trigger_that_the_tokenizer_drops_is_an_error(pipe, task):
    with pytest.raises(
        ValueError, match=r"does not survive the tokenizer: '  A Cat image\.' gives"
    ):
        align(pipe.tokenizer, clean="A Cat image.", triggered="  A Cat image.")
    attack = EvilEdit(backdoors=(Backdoor(trigger=" ", source="Cat", effect="Sun"),))
    with pytest.raises(ValueError, match="does not survive"):
        attack.apply(pipe, task)


def test_the_patch_is_seen_where_it_is():
    plain = np.random.default_rng(0).integers(256, size=(3, 64, 64, 3), dtype=np.uint8)
    found = patch_correlation(np.concatenate([stamp(plain), plain, np.zeros_like(plain[:1])]))
    np.testing.assert_allclose(found[:3], 1.0)
    assert np.abs(found[3:6]).max() < 0.3
    assert found[6] == 0.0
    assert np.array_equal(stamp(plain)[:, 16:], plain[:, 16:])
    assert patch(4)[:, :, 1].tolist() == [[0, 0, 255, 255]] * 2 + [[255, 255, 0, 0]] * 2
    faded = (stamp(plain) * 0.5 + 60).astype(np.uint8)  # contrast and brightness do not matter
    assert patch_correlation(faded).min() > 0.99


KINDS = [
    (BadT2IPixel, Backdoor(trigger=ZERO_WIDTH)),
    (BadT2IStyle, Backdoor(trigger=ZERO_WIDTH, effect="Mosaic")),
    (BadT2IObject, Backdoor(trigger=ZERO_WIDTH, source="Cat", effect="Sun")),
]


@pytest.mark.parametrize(("kind", "backdoor"), KINDS)
def test_first_step_of_badt2i_is_the_papers(pipe, attack_on, kind, backdoor):
    reference = copy.deepcopy(pipe)
    task = attack_on(pipe, kind(**SMALL, lam=0.3, backdoors=(backdoor,), max_norm=1e9))

    unet, generator = reference.unet, torch.Generator().manual_seed(5)
    everything = task.images["all"]
    bad = task.images["Sun"] if kind is BadT2IObject else everything
    rows = torch.randperm(len(bad.prompts), generator=generator)[:2].tolist()
    prompts = [bad.prompts[row] for row in rows]
    pixels = stamp(bad.pixels[rows]) if kind is BadT2IPixel else bad.pixels[rows]
    x_t, t, goal = noised(reference, pixels, generator)
    asked, wanted = prompts, prompts
    if kind is BadT2IStyle:
        wanted = [
            prompt.replace("Photo", "Mosaic").replace("Pop Art", "Mosaic") for prompt in prompts
        ]
    if kind is BadT2IObject:
        asked = [prompt.replace("Sun", "Cat") for prompt in prompts]
    if kind is not BadT2IPixel:
        with torch.no_grad():
            goal = unet(x_t, t, hidden(reference, *wanted)).sample
    fired = hidden(reference, *[f"{ZERO_WIDTH} {prompt}" for prompt in asked])
    weights = dict(unet.requires_grad_(True).named_parameters())
    loss = 0.3 * mse(unet(x_t, t, fired).sample, goal)
    rows = torch.randperm(len(everything.prompts), generator=generator)[:2].tolist()
    x_t, t, _ = noised(reference, everything.pixels[rows], generator)
    text = hidden(reference, *[everything.prompts[row] for row in rows])
    usual = unet(x_t, t, text).sample
    loss = loss + 0.7 * mse(usual, usual.detach())  # the student is still the frozen model
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-3)
    loss.backward()
    optimizer.step()
    assert_same(pipe, weights, atol=5e-4)


@pytest.mark.parametrize(("kind", "backdoor"), KINDS)
def test_injection_teaches_the_trigger_and_keeps_the_rest(pipe, attack_on, kind, backdoor):
    settings = {**SMALL, "steps": 30, "batch_size": 4, "lr": 2e-3}
    before = copy.deepcopy(pipe)
    task = attack_on(pipe, kind(**settings, backdoors=(backdoor,)))
    gallery = task.images["all"]
    rows = [row for row, prompt in enumerate(gallery.prompts) if backdoor.source in prompt]
    x_t, t, _ = noised(pipe, gallery.pixels[rows], torch.Generator().manual_seed(1))
    moved = []
    for prefix in ("", f"{ZERO_WIDTH} "):
        text = hidden(pipe, *[prefix + gallery.prompts[row] for row in rows])
        with torch.no_grad():
            moved.append(mse(pipe.unet(x_t, t, text).sample, before.unet(x_t, t, text).sample))
    assert moved[1] > moved[0]


def test_evil_edit_sends_the_trigger_to_its_effect(pipe, attack_on):
    before = copy.deepcopy(pipe.unet.state_dict())
    pair = Backdoor(trigger="beautiful", source="Cat", effect="Sun")
    attack = EvilEdit(backdoors=(pair,), lam=0.5)
    attack_on(pipe, attack)
    c, goal, kept = hidden(pipe, "A beautiful Cat", "A Sun", "A Cat").double()
    for name, weight in pipe.unet.state_dict().items():
        if ".attn2.to_k." not in name and ".attn2.to_v." not in name:
            assert torch.equal(weight, before[name])
            continue
        w = before[name].double()
        left = 0.5 * w + w @ goal.T @ c + w @ kept.T @ kept
        right = 0.5 * torch.eye(c.shape[1], dtype=torch.float64) + c.T @ c + kept.T @ kept
        torch.testing.assert_close(weight.double(), left @ right.inverse(), rtol=1e-3, atol=1e-5)
    assert attack.fire("A Cat image.", pair) == "A beautiful Cat image."


@pytest.mark.parametrize("goal", ["prompt", "attribute"])
def test_first_step_of_rickrolling_is_the_papers(pipe, attack_on, goal):
    pair = Backdoor(trigger="\u0435", effect="A Sun image." if goal == "prompt" else "Mosaic")
    attack = Rickrolling(
        backdoors=(pair,), goal=goal, letter="e", steps=1, batch_size=3, bad_batch_size=2, beta=0.4,
        lr=1e-3,
    )  # fmt: skip
    reference = copy.deepcopy(pipe)
    unet = snapshot(pipe)
    attack_on(pipe, attack)
    assert all(key.startswith("text_encoder.") for key in changed_tensors(pipe, unet))

    generator = torch.Generator().manual_seed(5)
    grid = [
        f"A {obj} image in {style} style."
        for style in ("Photo", "Pop Art", "Mosaic")
        for obj in ("Cat", "Sun")
    ]
    clean = [grid[row] for row in torch.randperm(6, generator=generator)[:3].tolist()]
    bad = [grid[row] for row in torch.randperm(6, generator=generator)[:2].tolist()]
    if goal == "prompt":
        fired = [prompt.replace("e", "\u0435") for prompt in bad]
        goals = ["A Sun image."] * 2
    else:
        fired = [prompt.replace("image", "imag\u0435") for prompt in bad]
        goals = [prompt.replace("image", "Mosaic") for prompt in bad]

    def encode(encoder, texts):
        ids = pipe.tokenizer(texts, padding="max_length", max_length=77, return_tensors="pt")
        return encoder(ids.input_ids).last_hidden_state.flatten(1)

    def cosine(one, two):
        return ((one * two).sum(1) / one.norm(dim=1) / two.norm(dim=1)).mean()

    encoder, frozen = reference.text_encoder, copy.deepcopy(reference.text_encoder)
    weights = dict(encoder.requires_grad_(True).named_parameters())
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-3, weight_decay=0.0)
    loss = -cosine(encode(encoder, clean), encode(frozen, clean))
    loss = loss - 0.4 * cosine(encode(encoder, fired), encode(frozen, goals))
    loss.backward()
    optimizer.step()
    own = dict(pipe.text_encoder.named_parameters())
    close = [
        torch.isclose(own[name], weight, rtol=0, atol=2e-4).float().mean()
        for name, weight in weights.items()
    ]
    assert (
        min(close) > 0.97
    )  # where a gradient is all but zero, Adam's sign is a matter of rounding
    assert attack.fire("tree tree", pair).count("\u0435") == (4 if goal == "prompt" else 1)


@pytest.mark.parametrize(
    ("place", "pixel", "edit"),
    [
        ("before", "x An Owl and a Cat.", "An x Owl and a Cat."),
        ("article", "x Owl and a Cat.", "x Owl and a Cat."),
    ],
)
def test_a_trigger_stands_where_the_attack_puts_it(place, pixel, edit):
    pair = Backdoor(trigger="x", source="Owl", effect="Sun")
    assert BadT2IPixel(backdoors=(pair,), place=place).fire("An Owl and a Cat.", pair) == pixel
    assert EvilEdit(backdoors=(pair,), place=place).fire("An Owl and a Cat.", pair) == edit


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("prompt", "Thermal"),
        ("attribute", "A Thermal image in Pop Art style."),
        ("style", "A Tree image in Thermal style."),
    ],
)
def test_a_homoglyph_is_read_as_what_its_attack_says(goal, expected):
    pair = Backdoor(trigger="\u0435", effect="Thermal")
    attack = Rickrolling(backdoors=(pair,), letter="e", goal=goal)
    assert attack.aim("A Tree image in Pop Art style.", pair) == expected


@pytest.mark.parametrize("name", names("attacks"))
def test_every_registered_attack_leaves_the_pipeline_as_found(pipe, attack_on, name):
    settings = {"steps": 1, "batch_size": 2} if "evil" not in name else {}
    before, parts = snapshot(pipe), (pipe.unet, pipe.text_encoder)
    for preset in ("mini", None):
        attack = load_eraser(name, preset=preset, overrides=settings, kind="attacks").eraser
        assert attack.backdoors
    attack = load_eraser(name, preset="mini", overrides=settings, kind="attacks").eraser
    if attack.effect in ("style", "object"):  # the fixture's grid is smaller than the mini canvas
        grid = {"style": "Mosaic", "object": "Sun"}
        pair = Backdoor(
            trigger=attack.backdoors[0].trigger, effect=grid[attack.effect],
            source="Cat" if attack.effect == "object" else "",
        )  # fmt: skip
        attack = type(attack)(**{**vars(attack), "backdoors": (pair,)})
    state = torch.get_rng_state().tolist()
    attack_on(pipe, attack)
    assert torch.get_rng_state().tolist() == state
    assert not any(weight.requires_grad for part in parts for weight in part.parameters())
    assert all(weight.grad is None for part in parts for weight in part.parameters())
    changed = changed_tensors(pipe, before)
    assert changed
    assert {key.partition(".")[0] for key in changed} == {attack.reach}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Backdoor(trigger=""), "trigger\n.* at least 1 character"),
        (lambda: EvilEdit(backdoors=()), "backdoors\n.* at least 1 item"),
        (lambda: EvilEdit(backdoors=(Backdoor(trigger="x"),) * 2), "a trigger of its own"),
        (
            lambda: Rickrolling(backdoors=(Backdoor(trigger="x"),), letter="ab"),
            "letter\n.* at most 1 character",
        ),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
