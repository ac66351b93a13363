"""The benchmark of speed: the ways it compares do the same work."""

import copy

import numpy as np
import pytest
import torch

from erasers.esd import ESD
from tests.fixtures.in_process import run
from unlearncanvas.canvases.unlearncanvas.vit_detector import ViTDetector
from unlearncanvas.engine.batch_size import largest_batch
from unlearncanvas.engine.options import fitting_batch_size
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.pipelines.artifacts import tensors_of
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.studies.speed.ceiling import unet_operations
from unlearncanvas.studies.speed.drawing import engine, pipeline
from unlearncanvas.studies.speed.esd_loop import plain_esd
from unlearncanvas.studies.speed.memory import AliveBytes
from unlearncanvas.studies.speed.parts import timed_parts
from unlearncanvas.studies.speed.stand_in import write_classifiers
from unlearncanvas.types import Concept, Task


def test_the_plain_loop_of_esd_ends_at_the_same_weights(pipe):
    eraser = ESD(steps=3, lr=1e-3, batch_size=2, num_inference_steps=4)
    target = Concept(kind="style", name="Mosaic")
    ours, plain = copy.deepcopy(pipe), copy.deepcopy(pipe)
    task = Task(targets=(target,), seed=5)
    eraser.erase(ours, task)
    plain_esd(plain, eraser, eraser.prompt(task.target, task), seed=5)
    before, found = pipe.unet.state_dict(), plain.unet.state_dict()
    for name, weight in ours.unet.state_dict().items():
        torch.testing.assert_close(weight, found[name], atol=1e-5, rtol=1e-4)
    assert any(not torch.equal(before[name], found[name]) for name in before)


def test_every_way_draws_all_that_is_asked(pipe, training_images):
    sampler, cells = training_images.protocol.sampler, training_images.protocol.cells()[:3]
    asked = [
        Request(cell=cell, seed=7, prompt=training_images.protocol.ask(cell)) for cell in cells
    ]
    drawn = []
    decode = pipe.vae.decode
    pipe.vae.decode = lambda latents, **options: (
        drawn.append(len(latents)), decode(latents, **options)
    )[1]  # fmt: skip
    assert engine(pipe, asked, sampler, None)() == 3
    assert pipeline(pipe, asked, sampler, batch_size=1)() == 3
    assert pipeline(pipe, asked, sampler, batch_size=3)() == 3
    assert drawn == [3, 1, 1, 1, 3]


def test_the_parts_of_the_time_and_the_arithmetic(pipe, training_images):
    sampler, cells = training_images.protocol.sampler, training_images.protocol.cells()[:2]
    asked = [
        Request(cell=cell, seed=7, prompt=training_images.protocol.ask(cell)) for cell in cells
    ]
    with timed_parts(pipe, None) as parts:
        engine(pipe, asked, sampler, None)()
    assert set(parts) == {"UNet", "text encoder", "autoencoder, decode"}
    assert all(seconds > 0 for seconds in parts.values())
    small, large = (unet_operations(pipe, side, side) for side in (32, 64))
    assert 3.5 < large / small < 6  # four times the places; attention grows faster


@pytest.mark.slow
def test_the_command_prints_every_way():
    done = run(
        "unlearncanvas.studies.speed.__main__", "--steps", "1", "--batch-size", "2", "--rounds",
        "1", "--loop-images", "1", "--esd-steps", "1", "--optimize", "channels-last", "--device",
        "cpu",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for text in ("engine, batches of 2", "channels-last", "(a)", "(b)", "(c)", "UNet", "a step"):
        assert text in done.stdout
    assert run("unlearncanvas.studies.speed.__main__", "--model", "sd3").returncode == 2


def test_the_batch_is_halved_until_it_fits(pipe, training_images):
    tried, decode = [], pipe.vae.decode

    def small_memory(latents, **options):
        tried.append(len(latents))
        if len(latents) > 5:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return decode(latents, **options)

    pipe.vae.decode = small_memory
    assert largest_batch(pipe, training_images.protocol, largest=32) == 4
    assert tried == [32, 16, 8, 4]


def test_a_processor_has_no_memory_to_fill():
    with pytest.raises(ValueError, match=r"batch_size auto fills a GPU's memory, .* leave it out"):
        fitting_batch_size(load_protocol("mini"), "minicanvas", torch.device("cpu"))


def test_the_classifiers_stand_in_for_the_releases(tmp_path):
    rules = load_protocol("unlearncanvas").detectors.model_copy(
        update={"architecture": "test_vit", "image_size": 32}
    )
    write_classifiers(tmp_path, rules)
    image = np.zeros((40, 40, 3), np.uint8)
    for spec in (rules.style, rules.object):
        detector = ViTDetector(
            spec, tmp_path / spec.file, torch.device("cpu"), architecture=rules.architecture,
            image_size=rules.image_size,
        )  # fmt: skip
        probabilities, _ = detector([image])
        assert probabilities.shape == (1, len(spec.labels))


def test_bytes_alive_by_hand():
    weight = torch.ones(1000, requires_grad=True)
    with AliveBytes([weight, weight.view(10, 100)]) as alive:
        assert alive.now == 4000
        product = weight * 2  # kept: 8,000
        squared = product.square()  # saves the product; 12,000
        assert (alive.now, alive.peak) == (12_000, 12_000)
        total = squared.sum()
        del squared
        assert (alive.now, alive.peak) == (8_004, 12_004)
        total.backward()
        del product, total
    assert alive.now == 8_000  # the weight and its gradient
    assert alive.peak > 12_004


def test_an_erasers_memory_is_counted(pipe):
    whole = sum(tensor.nbytes for tensor in tensors_of(pipe).values())
    own = sum(tensor.nbytes for tensor in pipe.unet.state_dict().values())
    task = Task(targets=(Concept(kind="style", name="Mosaic"),), seed=0)
    with AliveBytes(list(tensors_of(pipe).values())) as alive:
        ESD(steps=1, num_inference_steps=2).erase(pipe, task)
    assert alive.peak > whole + own  # ESD keeps a frozen copy
    assert alive.now < whole + own  # ... and lets it go


def test_memory_of_an_eraser_that_wants_images():
    done = run("unlearncanvas.studies.speed.memory", "--eraser", "salun")
    assert (done.returncode, "trains on images" in done.stderr) == (2, True)
