"""Forget-Me-Not: the maps are the right ones, live, and the loss is the paper's."""

import copy
import math

import pytest
import torch

from erasers.fmn import FMN, resteering_loss
from erasers.shared.attention import captured_cross_attention
from erasers.shared.embeddings import (
    encode_with_vectors,
    end_columns,
    textual_inversion,
    tokenize_template,
    word_columns,
)
from erasers.shared.latents import encode
from tests.fixtures.transcription import assert_same, hidden, mse, noised, selected
from unlearncanvas.pipelines.artifacts import changed_tensors, snapshot
from unlearncanvas.types import Concept, Task

SMALL = {"parameters": "x", "steps": 1, "batch_size": 2, "lr": 1e-2, "weight_decay": 0.0,
         "inversion_steps": 0, "end_too": False}  # fmt: skip


def test_the_loss_by_hand():
    maps = [torch.full((2, 1, 3, 1), 2.0), torch.full((2, 1, 1, 1), 1.0)]
    assert resteering_loss(maps, as_released=False).item() == (6 * 4 + 2) / 2
    assert resteering_loss(maps, as_released=True).item() == pytest.approx(math.sqrt(26))


def test_columns_of_the_words(pipe):
    assert word_columns(pipe, "A Cat image in Pop Art style.", "Pop Art") == [5, 6]
    assert word_columns(pipe, "Pop Art, Pop Art", "Pop Art") == [1, 2, 4, 5]
    assert word_columns(pipe, "A Cat image.", "Pop Art") == []
    assert end_columns(pipe, "Cat") == list(range(2, 77))


def test_captured_maps_belong_to_their_images_and_change_nothing(pipe):
    """Each row of a batch has the maps it has alone, and the UNet answers as before."""
    x = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    text, t = hidden(pipe, "Cat", "Sun in Mosaic style", ""), torch.tensor([10, 500, 900])
    with torch.no_grad():
        plain = pipe.unet(x, t, text).sample
        with captured_cross_attention(pipe.unet) as maps:
            captured = pipe.unet(x, t, text).sample
            together = list(maps)
            for row in range(3):
                maps.clear()
                pipe.unet(x[row : row + 1], t[row : row + 1], text[row : row + 1])
                for one, several in zip(maps, together, strict=True):
                    torch.testing.assert_close(one[0], several[row], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(plain, captured, rtol=1e-4, atol=1e-5)
    layers = [name for name in pipe.unet.attn_processors if ".attn2." in name]
    assert len(together) == len(layers)
    assert all(probs.shape[:2] == (3, 2) and probs.shape[3] == 77 for probs in together)
    for probs in together:
        torch.testing.assert_close(probs.sum(-1), torch.ones(probs.shape[:3]))
    assert not torch.equal(together[0][0], together[0][1])


@pytest.mark.parametrize("released", [False, True])
def test_first_step_is_the_papers(training_images, pipe, task, released):
    eraser = FMN(**SMALL, as_released=released, style_prompt="a photo in the style of {words}")
    reference = copy.deepcopy(pipe)
    supplied = training_images.fulfil(pipe, eraser, task)
    eraser.erase(pipe, supplied)

    unet, generator = reference.unet, torch.Generator().manual_seed(task.seed)
    gallery = supplied.images["style:Pop Art"]
    rows = torch.randperm(2, generator=generator).tolist()
    x_t, t, _ = noised(reference, gallery.pixels[rows], generator)
    prompt = "a photo in the style of Pop Art"
    words = pipe.tokenizer(prompt).input_ids
    columns = [words.index(i) for i in pipe.tokenizer("Pop Art").input_ids[1:-1]]
    weights = selected(unet, "attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out")
    squares = []

    def softmaxed(module, args, kwargs, output):
        x, text = args[0], kwargs["encoder_hidden_states"]
        q, k = (layer(y).unflatten(-1, (2, -1)).transpose(1, 2) for layer, y in
                ((module.to_q, x), (module.to_k, text)))  # fmt: skip
        probs = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        squares.append((probs[..., columns] ** 2).sum())

    for name, module in unet.named_modules():
        if name.endswith("attn2"):
            module.register_forward_hook(softmaxed, with_kwargs=True)
    unet(x_t, t, hidden(reference, prompt, prompt))
    loss = sum(squares).sqrt() if released else sum(squares) / 2
    optimizer = torch.optim.AdamW(weights.values(), lr=1e-2, weight_decay=0.0)
    loss.backward()
    optimizer.step()
    reached = {name: weight for name, weight in weights.items() if weight.grad is not None}
    assert_same(pipe, reached, atol=1e-3)
    assert len(reached) > 0.7 * len(weights)  # the last layer's values come after the last map


def test_training_takes_attention_off_the_words(training_images, pipe, task):
    eraser = FMN(**{**SMALL, "steps": 25, "lr": 3e-3})
    supplied, before = training_images.fulfil(pipe, eraser, task), copy.deepcopy(pipe)
    eraser.erase(pipe, supplied)
    prompt = eraser.prompt(task.target, task)
    columns = word_columns(pipe, prompt, "Pop Art")
    x_t, t, _ = noised(pipe, supplied.images["style:Pop Art"].pixels, torch.Generator())
    attention = []
    for p in (before, pipe):
        with torch.no_grad(), captured_cross_attention(p.unet) as maps:
            p.unet(x_t, t, hidden(p, prompt, prompt))
            attention.append(float(sum(probs[..., columns].square().sum() for probs in maps)))
    assert attention[1] < 0.8 * attention[0]


def test_vectors_of_the_words_themselves_give_the_prompts_embedding(pipe):
    placed = tokenize_template(pipe, "A Cat image in {words} style.", 2)
    ids = pipe.tokenizer("Pop Art", add_special_tokens=False).input_ids
    vectors = pipe.text_encoder.get_input_embeddings().weight[ids]
    torch.testing.assert_close(
        encode_with_vectors(pipe, placed, vectors), hidden(pipe, "A Cat image in Pop Art style.")
    )
    assert placed.columns == [5, 6]
    assert not pipe.text_encoder.get_input_embeddings()._forward_hooks


def test_inversion_learns_vectors_and_nothing_else(training_images, pipe, task):
    supplied = training_images.fulfil(pipe, FMN(**SMALL), task).images["style:Pop Art"]
    before = copy.deepcopy(pipe)
    images, placed = encode(pipe, supplied), tokenize_template(pipe, "in {words} style", 2)
    found = [
        textual_inversion(
            pipe, images, placed, words="Pop Art", steps=steps, lr=1e-2, batch_size=2,
            generator=torch.Generator().manual_seed(0),
        )
        for steps in (1, 20)
    ]  # fmt: skip
    ids = pipe.tokenizer("Pop Art", add_special_tokens=False).input_ids
    start = pipe.text_encoder.get_input_embeddings().weight[ids]
    # one step of Adam moves every entry by the learning rate, less a little decay
    torch.testing.assert_close(
        (found[0] - start).abs(), torch.full_like(start, 1e-2), rtol=0.1, atol=1e-4
    )
    x_t, t, noise = noised(pipe, supplied.pixels, torch.Generator().manual_seed(5))
    with torch.no_grad():
        losses = [
            mse(pipe.unet(x_t, t, text.expand(2, -1, -1)).sample, noise)
            for text in (encode_with_vectors(pipe, placed, v) for v in (start, found[1]))
        ]
    assert losses[1] < losses[0]
    for one, two in zip(pipe.unet.parameters(), before.unet.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_name_that_its_prompt_does_not_hold_is_an_error(training_images, pipe, task):
    eraser = FMN(**SMALL, style_prompt="{words}s")
    with pytest.raises(ValueError, match="tokens of 'Pop Art' are not in the prompt 'Pop Arts'"):
        eraser.erase(pipe, training_images.fulfil(pipe, eraser, task))


@pytest.mark.parametrize(("pad", "ends"), [(None, 75), ("!", 1)])
@pytest.mark.parametrize("vectors", [0, 4])
def test_the_end_s_columns_are_those_of_the_end_token(
    training_images, pipe, task, pad, ends, vectors
):
    if pad is not None:  # as Stable Diffusion 2 pads
        pipe.tokenizer.pad_token = pad
    settings = {"inversion_steps": min(1, vectors), "inversion_vectors": vectors or 4}
    eraser = FMN(**{**SMALL, "end_too": True, **settings}, style_prompt="{words}")
    images = encode(pipe, training_images.fulfil(pipe, eraser, task).images["style:Pop Art"])
    _, columns = eraser._name(pipe, task.target, task, images, torch.Generator())
    count = vectors or 2
    last = count + 1 + ends if pad else 77
    assert columns == list(range(1, last))


@pytest.mark.parametrize("kind", ["style", "object"])
def test_styles_may_train_other_parameters_than_objects(training_images, tiny_base, pipe, kind):
    name = "Pop Art" if kind == "style" else "Cat"
    task = Task(targets=(Concept(kind=kind, name=name),), seed=3)
    eraser = FMN(**{**SMALL, "parameters": "full"}, style_parameters="x")
    eraser.erase(pipe, training_images.fulfil(pipe, eraser, task))
    changed = changed_tensors(pipe, snapshot(tiny_base))
    assert all(".attn2.to_" in path for path in changed) == (kind == "style")
