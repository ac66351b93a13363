"""Draw one chunk of an image set: sample, detect in memory, store. Image files only on request."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import UInt8
from PIL import Image

from unlearncanvas.canvases.detectors import BATCH_SIZE, Detections, Detectors, joined
from unlearncanvas.core.digests import digest_json
from unlearncanvas.engine.chunks import Chunk, ChunkMetadata, to_table
from unlearncanvas.engine.grid import Grid
from unlearncanvas.engine.image_sets import ImageSet
from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.sampling import Request, draw
from unlearncanvas.pipelines.ufe import Counted
from unlearncanvas.types import Cell

THUMBNAIL = 64
"""Pixels a side of an image in the small picture that is stored with every chunk of one seed."""
PIXELS = "png"
"""Column of the images themselves, in sets that keep them."""


class Unit(NamedTuple):
    """A chunk and the image set that it is a part of."""

    chunk: Chunk
    image_set: ImageSet
    seeds: tuple[int, ...]

    @property
    def requests(self) -> list[Request]:
        """The images of the chunk."""
        return self.image_set.requests(self.seeds)

    def __len__(self) -> int:
        return len(self.image_set.prompts) * len(self.seeds)


@dataclass(frozen=True, kw_only=True)
class Drawer:
    """Draws the chunks of an evaluation.

    Attributes:
        grid: Gives the order of the cells in the small pictures.
        detectors: Run on the images.
        device: Where it draws; part of a chunk's key.
        keep_images: Write every image to ``images/<set>/<style>/<object>/seedN.png``, too.
        on_batch: Called with the number of images after every batch.
    """

    grid: Grid
    detectors: Detectors
    device: torch.device
    keep_images: bool
    on_batch: Callable[[int], None]

    def unit(
        self, image_set: ImageSet, seeds: tuple[int, ...], folder: Path, model_key: str
    ) -> Unit:
        """Return the chunk at ``seeds``; its key covers everything that its rows depend on.

        Args:
            image_set: The image set.
            seeds: The chunk's part of it.
            folder: The model's.
            model_key: Names the model.
        """
        key = digest_json(
            {
                "model": model_key,
                **image_set.identity(seeds),
                **self.detectors.identity,
                "device": self.device.type,
            }
        )
        chunk = Chunk(folder=folder / image_set.name, seed=seeds[0], key=key)
        return Unit(chunk, image_set, seeds)

    def finished(self, unit: Unit) -> ChunkMetadata | None:
        """Return a chunk's metadata if it is finished."""
        seal = unit.chunk.metadata()
        if seal is None or not self.keep_images:
            return seal
        paths = (image_path(unit.chunk, request) for request in unit.requests)
        return seal if all(path.exists() for path in paths) else None

    def draw(self, lent: Counted, unit: Unit) -> ChunkMetadata:
        """Draw, detect and store a chunk with a model. The caller holds the chunk's lock."""
        requests, image_set = unit.requests, unit.image_set
        start, before = time.perf_counter(), lent.work.ufe
        seen, kept = [], []
        # digests and files are made while the next batch is drawn
        with ThreadPoolExecutor(max_workers=1) as writer:
            for batch, images in self._batches(lent.pipe, requests, image_set.sampler):
                seen.append(self.detectors.detect(images))
                kept += [
                    writer.submit(self._keep, image, image_path(unit.chunk, request), image_set)
                    for request, image in zip(batch, images, strict=True)
                ]
        stored = [item.result() for item in kept]
        table = seen_table(requests, [item.sha256 for item in stored], joined(seen), self.detectors)
        if image_set.keep_pixels:
            table = table.append_column(PIXELS, pa.array([item.png for item in stored]))
        seconds = time.perf_counter() - start
        picture = self._picture(requests, stored) if len(unit.seeds) == 1 else None
        ufe = lent.work.ufe - before
        return unit.chunk.write(table, seconds=seconds, picture=picture, ufe=ufe)

    def _batches(
        self, pipe: StableDiffusionPipeline, requests: Sequence[Request], sampler: Sampler
    ) -> Iterator[tuple[list[Request], list[np.ndarray]]]:
        """Draw, and yield images in batches for the detectors."""
        waiting: list[Request] = []
        images: list[np.ndarray] = []
        for batch, drawn in draw(pipe, requests, sampler):
            waiting, images = [*waiting, *batch], [*images, *drawn]
            self.on_batch(len(batch))
            while len(images) >= BATCH_SIZE:
                yield waiting[:BATCH_SIZE], images[:BATCH_SIZE]
                waiting, images = waiting[BATCH_SIZE:], images[BATCH_SIZE:]
        if images:
            yield waiting, images

    def _keep(self, image: UInt8[np.ndarray, "h w 3"], path: Path, image_set: ImageSet) -> "_Kept":
        """Return the stored form of an image; write it as a file if ``keep_images``."""
        picture = Image.fromarray(image)
        if self.keep_images:
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
        small = picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        return _Kept(
            digest_image(image), small, png_bytes(picture) if image_set.keep_pixels else b""
        )

    def _picture(self, requests: Sequence[Request], stored: Sequence["_Kept"]) -> bytes:
        """The small picture of a chunk of one seed, as WebP."""
        pairs = zip(requests, stored, strict=True)
        shown = {request.cell: item.thumbnail for request, item in pairs}
        buffer = BytesIO()
        grid_picture(shown, self.grid).save(buffer, "webp", quality=90)
        return buffer.getvalue()


class _Kept(NamedTuple):
    sha256: str
    thumbnail: Image.Image
    png: bytes


def draw_all(
    pipe: StableDiffusionPipeline,
    requests: Sequence[Request],
    sampler: Sampler,
    *,
    on_batch: Callable[[int], None],
) -> UInt8[np.ndarray, "n h w 3"]:
    """Return the images of all requests; ``on_batch`` is called after every batch."""
    parts = []
    for batch, images in draw(pipe, requests, sampler):
        parts.append(images)
        on_batch(len(batch))
    return np.concatenate(parts)


def digest_image(image: UInt8[np.ndarray, "h w 3"]) -> str:
    """Return the sha256 of an image's bytes."""
    return hashlib.sha256(image.tobytes()).hexdigest()


def png_bytes(picture: Image.Image) -> bytes:
    """Return an image as the content of a PNG file."""
    buffer = BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def detected_table(
    requests: Sequence[Request], images: UInt8[np.ndarray, "n h w 3"], detectors: Detectors
) -> pa.Table:
    """Return the rows of images in memory: prompts, digests, predictions and features."""
    return seen_table(
        requests, list(map(digest_image, images)), detectors.detect(list(images)), detectors
    )


def seen_table(
    requests: Sequence[Request],
    digests: Sequence[str],
    detections: Detections,
    detectors: Detectors,
) -> pa.Table:
    """Return a chunk's rows: prompts, digests of the images, predictions and features."""
    return to_table(
        requests,
        digests,
        detections,
        style_names=detectors.names("style"),
        object_names=detectors.names("object"),
    )


def image_path(chunk: Chunk, request: Request) -> Path:
    """Return the path of an image with ``--keep-images``."""
    names = [name.replace(" ", "_") for name in (request.cell.style, request.cell.object)]
    folder = chunk.folder.parent / "images" / chunk.folder.name
    return folder / names[0] / names[1] / f"seed{request.seed}.png"


def grid_picture(thumbnails: Mapping[Cell, Image.Image], grid: Grid) -> Image.Image:
    """Return thumbnails in a grid of styles x objects; cells without an image are gray."""
    columns = len(grid.objects)
    size = (columns * THUMBNAIL, len(grid.styles) * THUMBNAIL)
    sheet = Image.new("RGB", size, "lightgray")
    for index, cell in enumerate(grid.cells()):
        if cell in thumbnails:
            place = (index % columns * THUMBNAIL, index // columns * THUMBNAIL)
            sheet.paste(thumbnails[cell], place)
    return sheet
