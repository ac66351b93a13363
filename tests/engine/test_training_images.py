"""Images for erasers: the right cells, the right prompts, drawn once and counted always."""

from dataclasses import dataclass

import numpy as np
import pytest

from erasers.base import Eraser
from erasers.ca import CA
from erasers.ft import FT
from unlearncanvas.engine.training_images import generated_ufe
from unlearncanvas.types import Concept, GeneratedImages, RealImages, Task

POP, CAT = Concept(kind="style", name="Pop Art"), Concept(kind="object", name="Cat")


@dataclass(frozen=True, kw_only=True)
class Asking(Eraser):
    """An eraser that wants what the test says."""

    some: RealImages | GeneratedImages

    def images(self, task):
        return {"some": self.some}

    def erase(self, pipe, task):
        """Change nothing."""


def test_real_images_show_what_is_asked_and_nothing_else(training_images, pipe, task):
    asked = RealImages(
        showing=(POP, CAT), without=(Concept(kind="object", name="Sun"),), per_cell=2
    )
    gallery = training_images.fulfil(pipe, Asking(some=asked), task).images["some"]
    assert set(gallery.prompts) == {
        "A Cat image in Photo style.",
        "A Cat image in Pop Art style.",
        "A Cat image in Mosaic style.",
    }
    assert gallery.pixels.shape == (6, 32, 32, 3)  # the size that the protocol draws
    assert len({image.tobytes() for image in gallery.pixels}) == 6


def test_forget_and_retain_images_of_a_trained_eraser(training_images, pipe, task):
    retain = training_images.fulfil(pipe, FT(retain_per_cell=1), task).images["retain"]
    assert len(retain.prompts) == 4  # Photo and Mosaic, two objects each
    assert not any("Pop Art" in prompt for prompt in retain.prompts)
    photos = training_images.fulfil(pipe, FT(retain_per_cell=1, retain_from="anchor"), task).images[
        "retain"
    ]
    assert set(photos.prompts) == {"A Cat image in Photo style.", "A Sun image in Photo style."}


def test_a_request_that_no_cell_meets_is_an_error(training_images, pipe, task):
    asked = RealImages(showing=(Concept(kind="style", name="Sketch"),), per_cell=1)
    with pytest.raises(ValueError, match="no cell of mini shows style:Sketch"):
        training_images.fulfil(pipe, Asking(some=asked), task)


def test_generated_images_are_the_pipelines_own_and_kept(training_images, pipe, task, monkeypatch):
    asked = GeneratedImages(
        prompts=("A Cat image.",) * 5, num_inference_steps=3, guidance_scale=2.0
    )
    first = training_images.fulfil(pipe, Asking(some=asked), task).images["some"]
    assert first.pixels.shape == (5, 32, 32, 3)
    assert len({image.tobytes() for image in first.pixels}) == 5  # other noise for each
    assert generated_ufe(Asking(some=asked), [task]) == 5 * 3 * 2

    def fail(*args, **kwargs):
        raise AssertionError("drawn twice")

    monkeypatch.setattr(pipe.unet, "forward", fail)
    again = training_images.fulfil(pipe, Asking(some=asked), task).images["some"]
    assert np.array_equal(first.pixels, again.pixels)


@pytest.mark.parametrize("damage", ["truncate", "flip", "another", "no digest"])
def test_a_damaged_cache_is_drawn_again(training_images, pipe, task, damage, caplog):
    asked = GeneratedImages(prompts=("x",), num_inference_steps=1, guidance_scale=1.0)
    first = training_images.fulfil(pipe, Asking(some=asked), task).images["some"]
    (kept,) = training_images.cache_dir.glob("*.npy")
    data = bytearray(kept.read_bytes())
    if damage == "truncate":
        kept.write_bytes(data[:200])
    elif damage == "flip":
        data[-5] ^= 1
        kept.write_bytes(data)
    elif damage == "another":
        np.save(kept, first.pixels[:, ::-1])
    else:
        kept.with_name(f"{kept.name}.sha256").unlink()
    again = training_images.fulfil(pipe, Asking(some=asked), task).images["some"]
    assert np.array_equal(first.pixels, again.pixels)
    assert caplog.text.count("making it again") == 1
    training_images.fulfil(pipe, Asking(some=asked), task)
    assert caplog.text.count("making it again") == 1
    assert {path.suffix for path in training_images.cache_dir.iterdir()} == {
        ".npy",
        ".sha256",
        ".lock",
    }


def test_ablation_draws_the_anchor_among_the_retained_objects(task):
    prompts = CA(num_images=7).images(task)["anchor"].prompts
    assert prompts[:2] == ("Photo style", "Cat in Photo style")
    assert prompts[2] == prompts[0]
    assert len(prompts) == 7


def test_ablation_without_an_anchor_says_so():
    with pytest.raises(ValueError, match="needs an anchor"):
        CA().images(Task(targets=(POP,)))
