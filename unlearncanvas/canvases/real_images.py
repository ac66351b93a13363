"""Real images of a grid, by cell and number."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from unlearncanvas.types import Cell


class Wanted(NamedTuple):
    """One image: a cell's, by its place among the part's images of that cell."""

    cell: Cell
    number: int


class RealImageSource(ABC):
    """Where real images come from."""

    @property
    @abstractmethod
    def identity(self) -> Mapping[str, object]:
        """Plain data that names the images, for digests."""

    @abstractmethod
    def read(self, wanted: Sequence[Wanted]) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]]:
        """Yield the place in ``wanted`` and the image at its own size, in any order.

        Raises:
            ValueError: If one is missing.
        """


def every(cells: Iterable[Cell], count: int, *, start: int = 0) -> list[Wanted]:
    """Return ``count`` images of each cell, cell by cell."""
    return [Wanted(cell, start + number) for cell in cells for number in range(count)]


def square(image: UInt8[np.ndarray, "h w 3"], size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Return the centre square of an image at another size, as the base model was trained."""
    height, width = image.shape[:2]
    if height == width == size:
        return image
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = Image.fromarray(image[top : top + side, left : left + side])
    return np.asarray(cut.resize((size, size), Image.Resampling.BICUBIC))
