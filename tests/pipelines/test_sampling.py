"""An image depends on its cell and seed alone."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.sampling import (
    NoiseSource,
    Request,
    build_scheduler,
    cell_seed,
    draw,
    draw_batch,
    to_bytes,
)
from unlearncanvas.types import Cell

SAMPLER = Sampler(
    scheduler="DDIMScheduler", num_inference_steps=3, guidance_scale=2.5, height=32, width=32,
    noise="cell", dtype="float32", batch_size=4,
)  # fmt: skip
CELLS = [Cell(style=style, object=obj) for style in ("Photo", "Mosaic") for obj in ("Cat", "Sun")]
REQUESTS = [
    Request(cell=cell, seed=seed, prompt=f"A {cell.object} image in {cell.style} style.")
    for seed in (188, 288)
    for cell in CELLS
]


def everything(pipe, requests, sampler=SAMPLER):
    return np.concatenate([images for _, images in draw(pipe, requests, sampler)])


def test_order_and_batch_do_not_change_an_image(tiny_base):
    images = everything(tiny_base, REQUESTS)
    backwards = everything(tiny_base, REQUESTS[::-1])[::-1]
    single = everything(tiny_base, REQUESTS, SAMPLER.model_copy(update={"batch_size": 1}))
    for other in (backwards, single):
        assert np.abs(images.astype(int) - other.astype(int)).max() <= 1  # rounding


def test_the_same_batch_gives_the_same_bytes(tiny_base):
    assert np.array_equal(everything(tiny_base, REQUESTS), everything(tiny_base, REQUESTS))


def test_cells_and_seeds_have_their_own_noise():
    seeds = {cell_seed(request.seed, request.cell) for request in REQUESTS}
    assert len(seeds) == len(REQUESTS)
    assert cell_seed(188, CELLS[0]) == 23360467835727623  # pinned: a change is another protocol


@pytest.mark.parametrize(("noise", "count"), [("cell", 8), ("image", 2), ("run", 8)])
def test_where_noise_comes_from(noise, count):
    """Eight images: each its own, one for all cells of a seed, or one stream a seed."""
    together = NoiseSource(noise).noise(REQUESTS, (4, 2, 2))
    assert len({tuple(row.flatten().tolist()) for row in together}) == count
    source = NoiseSource(noise)
    batches = [source.noise(REQUESTS[start : start + 3], (4, 2, 2)) for start in (0, 3, 6)]
    assert torch.equal(torch.cat(batches), together)
    if noise == "run":
        stream = torch.randn((4, 4, 2, 2), generator=torch.Generator().manual_seed(188))
        assert torch.equal(together[:4], stream)


def test_a_negative_prompt_is_what_the_diffusers_pipeline_makes_of_it(pipe):
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    sampler = SAMPLER.model_copy(update={"negative_prompt": "blurry, bad"})
    (ours,) = draw_batch(pipe, REQUESTS[:1], sampler)
    generator = torch.Generator().manual_seed(cell_seed(188, CELLS[0]))
    theirs = pipe(
        REQUESTS[0].prompt, negative_prompt="blurry, bad", num_inference_steps=3,
        guidance_scale=2.5, height=32, width=32, generator=generator, output_type="np",
    ).images[0]  # fmt: skip
    assert np.abs(ours - 255 * theirs).max() <= 1.0
    assert not np.array_equal(ours, draw_batch(pipe, REQUESTS[:1], SAMPLER)[0])


@pytest.mark.parametrize("scheduler", ["LMSDiscreteScheduler", "PNDMScheduler"])
def test_the_schedulers_of_the_release(pipe, scheduler):
    sampler = SAMPLER.model_copy(update={"scheduler": scheduler, "num_inference_steps": 5})
    pipe.scheduler = build_scheduler(pipe, sampler)
    (ours,) = draw_batch(pipe, REQUESTS[:1], sampler)
    generator = torch.Generator().manual_seed(cell_seed(188, CELLS[0]))
    theirs = pipe(
        REQUESTS[0].prompt, num_inference_steps=5, guidance_scale=2.5, height=32, width=32,
        generator=generator, output_type="np",
    ).images[0]  # fmt: skip
    assert np.abs(ours - 255 * theirs).max() <= 1.0


def test_the_engine_draws_what_the_diffusers_pipeline_draws(tiny_base):
    import copy

    pipe = copy.deepcopy(tiny_base)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    ours = draw_batch(pipe, REQUESTS[:3], SAMPLER)
    for request, image in zip(REQUESTS[:3], ours, strict=True):
        generator = torch.Generator().manual_seed(cell_seed(request.seed, request.cell))
        theirs = pipe(
            request.prompt, num_inference_steps=3, guidance_scale=2.5, height=32, width=32,
            generator=generator, output_type="np",
        ).images[0]  # fmt: skip
        assert np.abs(image - 255 * theirs).max() <= 1.0


def test_global_generator_is_left_alone(tiny_base):
    before = torch.get_rng_state()
    draw_batch(tiny_base, REQUESTS[:2], SAMPLER)
    assert torch.equal(before, torch.get_rng_state())


def test_without_guidance_there_is_no_empty_half(tiny_base):
    sizes = []
    handle = tiny_base.unet.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    try:
        draw_batch(tiny_base, REQUESTS[:2], SAMPLER.model_copy(update={"guidance_scale": 1.0}))
        draw_batch(tiny_base, REQUESTS[:2], SAMPLER)
    finally:
        handle.remove()
    assert sizes == [2, 2, 2, 4, 4, 4]


def test_values_that_are_not_finite_are_black():
    images = torch.full((1, 3, 1, 2), float("nan"))
    images[..., 1] = 1.0
    assert to_bytes(images).tolist() == [[[[0, 0, 0], [255, 255, 255]]]]


def test_an_unknown_scheduler_is_named(tiny_base):
    with pytest.raises(ValueError, match="no scheduler 'Nothing'"):
        build_scheduler(tiny_base, SAMPLER.model_copy(update={"scheduler": "Nothing"}))
