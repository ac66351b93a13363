"""The data of the mini canvas: paint any (style, object, index), deterministically.

The same index in two styles is the same drawing. Splits are ranges of the index, so that no
reported image was trained on: see :data:`SPLITS`.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from unlearncanvas.canvases.mini.objects import OBJECTS, tint
from unlearncanvas.canvases.mini.scene import SIDE, Scene, Shape, turned
from unlearncanvas.canvases.mini.styles import STYLES

if TYPE_CHECKING:
    from datasets import Dataset

IMAGE_SIZE = 64
"""Pixels a side of a painted image, RGB."""

PLAIN_STYLE = "Photo"
RESERVED_STYLES = ("Woodcut", "Crayon")
"""Styles for tuning erasers; never a reported target, never in the reported grid."""
RESERVED_OBJECTS = ("Umbrella", "Rocket")
"""Objects for tuning erasers; never a reported target, never in the reported grid."""

SPLITS = {
    "train": 0,
    "gate": 100_000,
    "reference": 200_000,
    "gallery": 300_000,
    "test": 400_000,
}
"""First index of each split: train (model and detectors), gate (acceptance of the weights),
reference (FID and KID), gallery (real images an eraser may see), test (our tests)."""


def caption(style: str | None, obj: str | None) -> str:
    """Return the prompt for a cell; None leaves that concept out, both None is the empty prompt.

    >>> caption("Pop Art", "Umbrella")
    'An Umbrella image in Pop Art style.'
    """
    if obj is None:
        return "" if style is None else f"An image in {style} style."
    start = f"{'An' if obj[0] in 'AEIOU' else 'A'} {obj} image"
    return f"{start}." if style is None else f"{start} in {style} style."


def draw(obj: str, index: int) -> Scene:
    """Return the drawing of an object: colors, place, size, tilt and pose from the index alone.

    Raises:
        ValueError: If the object is not one of :data:`OBJECTS`.
    """
    if obj not in OBJECTS:
        raise ValueError(f"the mini canvas has no object {obj!r}; choose from {', '.join(OBJECTS)}")
    rng = np.random.default_rng([zlib.crc32(obj.encode()), index])
    shapes = OBJECTS[obj](rng)
    size = SIDE * rng.uniform(0.34, 0.42)
    tilt, mirror = rng.uniform(-9, 9), rng.choice([-1.0, 1.0])
    place = SIDE / 2 + rng.uniform(-0.07, 0.07, size=2) * SIDE
    placed = tuple(
        Shape(turned(shape.points * [mirror, 1.0], tilt) * size + place, shape.fill)
        for shape in shapes
    )
    return Scene(
        shapes=placed,
        sky=tint(rng, 205, 25, 0.38, 0.86),
        ground=tint(rng, rng.choice([35.0, 95.0, 200.0]), 15, 0.35, 0.72),
        horizon=round(SIDE * rng.uniform(0.66, 0.82)),
    )


def paint(style: str, obj: str, index: int) -> Image.Image:
    """Return one image, 64 x 64 RGB, deterministic in its arguments.

    Raises:
        ValueError: If the style or the object is unknown.
    """
    if style not in STYLES:
        raise ValueError(f"the mini canvas has no style {style!r}; choose from {', '.join(STYLES)}")
    rng = np.random.default_rng([zlib.crc32(style.encode()), zlib.crc32(obj.encode()), index])
    picture = Image.fromarray(STYLES[style](draw(obj, index), rng))
    return picture.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX)


def dataset(
    num_per_cell: int,
    *,
    split: str = "train",
    styles: Sequence[str] = tuple(STYLES),
    objects: Sequence[str] = tuple(OBJECTS),
) -> "Dataset":
    """Return a Hugging Face dataset with the columns image, style, object, index, text."""
    from datasets import ClassLabel, Dataset, Features, Value
    from datasets import Image as ImageFeature

    features = Features(
        {
            "image": ImageFeature(),
            "style": ClassLabel(names=list(styles)),
            "object": ClassLabel(names=list(objects)),
            "index": Value("int32"),
            "text": Value("string"),
        }
    )

    def rows() -> Iterator[dict[str, Any]]:
        for style in styles:
            for obj in objects:
                for index in range(SPLITS[split], SPLITS[split] + num_per_cell):
                    yield {
                        "image": paint(style, obj, index),
                        "style": style,
                        "object": obj,
                        "index": index,
                        "text": caption(style, obj),
                    }

    return Dataset.from_generator(rows, features=features)
