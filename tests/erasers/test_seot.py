"""SuppressEOT: the shrinking by hand, and prompts without the target untouched to the bit."""

import copy

import numpy as np
import torch

from erasers.seot import SEOT, attention_loss, shrink
from tests.fixtures.transcription import hidden
from unlearncanvas.types import Concept, Task

NAMED, OTHER = "A Cat image in Pop Art style.", "A Cat image in Mosaic style."


def draw(pipe, prompt, steps=10, **kwargs):
    return pipe(
        prompt, num_inference_steps=steps, height=32, width=32, output_type="np",
        generator=torch.Generator().manual_seed(0), **kwargs,
    ).images  # fmt: skip


def test_singular_values_shrink_by_their_own_size():
    chi = torch.diag(torch.tensor([3.0, 0.5]))
    expected = torch.diag(torch.tensor([3 * np.exp(-6.0), 0.5 * np.exp(-1.0)], dtype=torch.float))
    torch.testing.assert_close(shrink(chi, 2.0), expected)
    torch.testing.assert_close(shrink(chi, 1e-9), chi)


def test_only_target_and_end_tokens_change(pipe, task):
    SEOT(untouched=0.0).erase(pipe, task)
    seen = []
    pipe.unet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["encoder_hidden_states"]), with_kwargs=True
    )
    draw(pipe, NAMED, steps=2)
    original = hidden(pipe, NAMED)[0]
    empty, changed = seen[0]
    assert torch.equal(empty, hidden(pipe, "")[0])
    kept, moved = [0, 1, 2, 3, 4, 7, 8], [5, 6, *range(9, 77)]  # pop art is 5 6, its end 9
    assert torch.equal(changed[kept], original[kept])
    torch.testing.assert_close(changed[moved], shrink(original[moved], 1.0))
    assert not torch.equal(changed[moved], original[moved])


def test_other_prompts_are_untouched_to_the_bit(tiny_base, task):
    pipe = copy.deepcopy(tiny_base)
    SEOT(untouched=0.0, optimize_steps=2).erase(pipe, task)
    assert np.array_equal(draw(pipe, OTHER), draw(tiny_base, OTHER))
    assert not np.array_equal(draw(pipe, NAMED), draw(tiny_base, NAMED))
    assert np.array_equal(draw(pipe, OTHER), draw(tiny_base, OTHER))  # nothing is left behind


def test_rows_of_a_batch_are_told_apart(tiny_base, task):
    pipe = copy.deepcopy(tiny_base)
    SEOT(untouched=0.0).erase(pipe, task)
    ours, base = draw(pipe, [OTHER, NAMED]), draw(tiny_base, [OTHER, NAMED])
    assert np.array_equal(ours[0], base[0])
    assert not np.array_equal(ours[1], base[1])


def test_the_first_steps_are_left_alone(pipe, task):
    SEOT(untouched=0.5).erase(pipe, task)
    seen = []
    pipe.unet.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(
            (int(args[1]), torch.equal(kwargs["encoder_hidden_states"][1:], hidden(pipe, NAMED)))
        ),
        with_kwargs=True,
    )
    draw(pipe, NAMED)
    assert all(same == (t > 500) for t, same in seen)
    assert {same for _, same in seen} == {True, False}


def test_embeddings_that_were_brought_along_pass_unseen(tiny_base, task):
    pipe = copy.deepcopy(tiny_base)
    SEOT(untouched=0.0).erase(pipe, task)
    draw(pipe, NAMED)
    brought = {"prompt_embeds": hidden(pipe, OTHER), "negative_prompt_embeds": hidden(pipe, "")}
    assert np.array_equal(draw(pipe, None, **brought), draw(tiny_base, None, **brought))


def test_attention_loss_by_hand():
    before = [torch.zeros(1, 1, 1, 4)]
    now = [torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 1, 4)]
    loss = attention_loss(now, before, retain=[[1]], erase=[[2, 3]], weight=0.5)
    assert loss.item() == 4 - 0.5 * (9 + 16)


def test_optimizing_lowers_its_own_loss_and_runs_in_its_window(pipe, task):
    """With the window shut nothing differs; open, the embedding moves on from the shrunk one."""
    plain, shut, opened = (copy.deepcopy(pipe) for _ in range(3))
    SEOT().erase(plain, task)
    SEOT(optimize_steps=3, optimize_until=0.2).erase(shut, task)
    SEOT(optimize_steps=3, optimize_until=0.9).erase(opened, task)
    assert np.array_equal(draw(plain, NAMED), draw(shut, NAMED))
    assert not np.array_equal(draw(plain, NAMED), draw(opened, NAMED))
    assert torch.is_grad_enabled()


def test_several_targets(tiny_base):
    pipe = copy.deepcopy(tiny_base)
    targets = (Concept(kind="style", name="Pop Art"), Concept(kind="object", name="Sun"))
    SEOT(untouched=0.0).erase(pipe, Task(targets=targets))
    for prompt, changes in ((NAMED, True), ("A Sun image.", True), (OTHER, False)):
        assert np.array_equal(draw(pipe, prompt), draw(tiny_base, prompt)) != changes
