"""Real images of the mini canvas: painted when they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import UInt8

from unlearncanvas.canvases.mini.painter import SPLITS, paint
from unlearncanvas.canvases.real_images import RealImageSource, Wanted


@final
@dataclass(frozen=True, kw_only=True)
class PaintedImages(RealImageSource):
    """Images of one split of the painter.

    Attributes:
        split: Its name.
    """

    split: str

    @property
    def identity(self) -> Mapping[str, object]:
        """Return the split's name."""
        return {"split": self.split}

    def read(self, wanted: Sequence[Wanted]) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]]:
        """Yield the images in order."""
        first = SPLITS[self.split]
        for place, (cell, number) in enumerate(wanted):
            yield place, np.asarray(paint(cell.style, cell.object, first + number))
