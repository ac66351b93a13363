"""The painted world is deterministic, paired and complete."""

import numpy as np
import pytest

from unlearncanvas.canvases.mini.objects import OBJECTS
from unlearncanvas.canvases.mini.painter import (
    RESERVED_OBJECTS,
    RESERVED_STYLES,
    SPLITS,
    caption,
    dataset,
    draw,
    paint,
)
from unlearncanvas.canvases.mini.styles import STYLES
from unlearncanvas.evaluations.grid.protocol import load_protocol

TEST = SPLITS["test"]


def test_twelve_by_twelve_with_two_and_two_reserved():
    assert (len(STYLES), len(OBJECTS)) == (12, 12)
    assert set(RESERVED_STYLES) < set(STYLES)
    assert set(RESERVED_OBJECTS) < set(OBJECTS)
    protocol = load_protocol("mini")
    assert set(protocol.styles) == set(STYLES) - set(RESERVED_STYLES)
    assert set(protocol.objects) == set(OBJECTS) - set(RESERVED_OBJECTS)


@pytest.mark.parametrize("style", STYLES)
def test_the_same_arguments_paint_the_same_picture(style):
    first, again = paint(style, "Cat", TEST), paint(style, "Cat", TEST)
    assert (first.size, first.mode) == ((64, 64), "RGB")
    assert np.array_equal(first, again)
    assert not np.array_equal(first, paint(style, "Cat", TEST + 1))


@pytest.mark.parametrize("obj", OBJECTS)
def test_objects_stay_in_the_picture_and_vary(obj):
    scenes = [draw(obj, TEST + index) for index in range(30)]
    points = np.concatenate([shape.points for scene in scenes for shape in scene.shapes])
    assert points.min() > -8
    assert points.max() < 136
    places = np.array(
        [np.concatenate([s.points for s in scene.shapes]).mean(0) for scene in scenes]
    )
    assert places.std(axis=0).min() > 2
    assert len({scene.shapes[0].fill for scene in scenes}) > 15


def test_the_same_index_is_the_same_drawing_in_every_style():
    assert all(
        np.array_equal(one.points, two.points)
        for one, two in zip(draw("Fish", 5).shapes, draw("Fish", 5).shapes, strict=True)
    )
    # a Blueprint and a Neon picture of one drawing have their lines in the same places
    light = [np.asarray(paint(style, "Fish", TEST).convert("L"), dtype=float) for style in
             ("Blueprint", "Neon Lines")]  # fmt: skip
    other = np.asarray(paint("Neon Lines", "Fish", TEST + 1).convert("L"), dtype=float)
    paired = np.corrcoef(light[0].ravel(), light[1].ravel())[0, 1]
    assert paired > np.corrcoef(light[0].ravel(), other.ravel())[0, 1] + 0.2


def test_captions_leave_out_what_is_not_asked():
    assert caption("Pop Art", "Umbrella") == "An Umbrella image in Pop Art style."
    assert caption(None, "Sail Boat") == "A Sail Boat image."
    assert caption("Sketch", None) == "An image in Sketch style."
    assert caption(None, None) == ""
    assert load_protocol("mini").ask(load_protocol("mini").cells()[3]) == caption("Photo", "Fish")


def test_dataset_has_the_promised_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    data = dataset(2, split="test", styles=("Photo", "Pop Art"), objects=("Cat",))
    assert data.column_names == ["image", "style", "object", "index", "text"]
    assert len(data) == 4
    row = data[3]
    assert (row["style"], row["object"], row["index"]) == (1, 0, TEST + 1)
    assert row["text"] == "A Cat image in Pop Art style."
    assert np.array_equal(row["image"], paint("Pop Art", "Cat", TEST + 1))


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no style 'Cubism'"):
        paint("Cubism", "Cat", 0)
    with pytest.raises(ValueError, match="no object 'Dog'"):
        paint("Photo", "Dog", 0)
