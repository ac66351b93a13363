"""The submitted images of a row, to compare images with that are drawn again."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from unlearncanvas.engine.drawing import PIXELS, THUMBNAIL
from unlearncanvas.engine.job import Job
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.publish.submissions.bundle import GRID
from unlearncanvas.publish.submissions.contents import Contents
from unlearncanvas.types import Cell

COARSE = 8
"""Pixels a side at which images are compared: what lossy compression leaves alone."""
COMPARED = ("style", "object", "seed", "sha256", "style_pred", "object_pred", PIXELS)
"""Columns that are read."""


class Compared(NamedTuple):
    """How an image that is drawn again differs from the submitted one.

    Attributes:
        pixels: Whether they are the same to the byte.
        predictions: Whether both detectors see the same.
        distance: Of the stored image, large or small, of 1; None where none is stored.
    """

    pixels: bool
    predictions: bool
    distance: float | None


@dataclass(frozen=True)
class Submitted:
    """The images of one job as they were submitted.

    Attributes:
        contents: The bundle.
        job: Whose images.
    """

    contents: Contents
    job: Job

    def compared(
        self,
        image_set: str,
        request: Request,
        row: Mapping[str, Any],
        image: UInt8[np.ndarray, "h w 3"],
    ) -> Compared:
        """Return how an image differs from the submitted one.

        Args:
            image_set: Name of its set.
            request: What was asked for.
            row: What the detectors see in it, and its digest.
            image: The image.
        """
        said = self._rows[image_set, request.seed, request.cell]
        alike = all(row[key] == said[key] for key in ("style_pred", "object_pred"))
        stored = self._stored(image_set, request, said)
        distance = None if stored is None else _distance(image, stored)
        return Compared(row["sha256"] == said["sha256"], alike, distance)

    @cached_property
    def _rows(self) -> dict[tuple[str, int, Cell], dict[str, Any]]:
        """Rows of all chunks, by image set, seed and cell."""
        return {
            (chunk.image_set.name, row["seed"], Cell(style=row["style"], object=row["object"])): row
            for chunk in self.contents.chunks(self.job)
            for table in [chunk.read()]
            for row in table.select([c for c in COMPARED if c in table.column_names]).to_pylist()
        }

    def _stored(
        self, image_set: str, request: Request, said: Mapping[str, Any]
    ) -> UInt8[np.ndarray, "_ _ 3"] | None:
        """The image itself where the set keeps it, else the small one of the first chunk."""
        if PIXELS in said:
            with Image.open(BytesIO(said[PIXELS]), formats=["PNG"]) as picture:
                return np.asarray(picture)
        first = self.job.image_sets[0]
        path = self.contents.place(self.job) / GRID
        if (image_set, request.seed) != (first.name, first.seeds[0]) or not path.is_file():
            return None
        grid = self.contents.evaluation.grid
        row, column = grid.styles.index(request.cell.style), grid.objects.index(request.cell.object)
        left, top = column * THUMBNAIL, row * THUMBNAIL
        with Image.open(path, formats=["WEBP"]) as picture:
            box = (left, top, left + THUMBNAIL, top + THUMBNAIL)
            return np.asarray(picture.convert("RGB").crop(box))


def _distance(image: UInt8[np.ndarray, "h w 3"], other: UInt8[np.ndarray, "_ _ 3"]) -> float:
    """The root mean square difference of an image from its stored one, of 1, coarsely."""
    one, two = (_coarse(Image.fromarray(picture)) for picture in (image, other))
    return float(np.sqrt(np.square(one - two).mean()))


def _coarse(picture: Image.Image) -> Float[np.ndarray, "side side 3"]:
    side = (COARSE, COARSE)
    return np.asarray(picture.resize(side, Image.Resampling.BOX), dtype=np.float64) / 255
