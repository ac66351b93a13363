"""Draw one chunk: sample, detect in memory, seal. Image files only on request."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

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
from unlearncanvas.evaluations.grid.protocol import GridProtocol
from unlearncanvas.pipelines.artifacts import Artifact
from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.sampling import Request, draw
from unlearncanvas.pipelines.ufe import Counted
from unlearncanvas.types import Cell, Concept

THUMBNAIL = 64
"""Pixels a side of an image in the grid picture that is kept of every chunk."""


@dataclass(frozen=True, kw_only=True)
class ChunkDrawer:
    """What it takes to draw chunks of one protocol.

    Attributes:
        protocol: The rules.
        detectors: What looks at the images.
        device: Where it draws; part of a chunk's key.
        keep_images: Write every image to ``images/style/object/seedN.png`` too.
        on_batch: Called with the number of images after every batch.
    """

    protocol: GridProtocol
    detectors: Detectors
    device: torch.device
    keep_images: bool
    on_batch: Callable[[int], None]

    def chunk(self, artifact: Artifact, folder: Path, seed: int) -> Chunk:
        """Return the place of a chunk; its key names all that its rows depend on."""
        protocol = self.protocol.for_eraser(artifact.eraser)
        thinned = {"every": protocol.retain_stride, "targets": artifact.targets}
        key = digest_json(
            {
                "artefact": artifact.digest,  # spelled as it was: another key is another chunk
                "tensors": artifact.tensors_digest,
                "seed": seed,
                "prompt": protocol.prompt,
                "styles": protocol.styles,
                "objects": protocol.objects,
                "sampler": protocol.sampler.plain(),
                **self.detectors.identity,
                "device": self.device.type,
                **(thinned if protocol.retain_stride > 1 else {}),
            }
        )
        return Chunk(folder=folder / "chunks", seed=seed, key=key)

    def finished(self, chunk: Chunk) -> ChunkMetadata | None:
        """Return the chunk's metadata if nothing of it needs to be drawn."""
        metadata = chunk.metadata()
        if metadata is None or not self.keep_images:
            return metadata
        table = chunk.read().select(["style", "object"]).to_pylist()
        paths = (image_path(chunk, Cell(**row)) for row in table)
        return metadata if all(path.exists() for path in paths) else None

    def draw(self, lent: Counted, chunk: Chunk, artifact: Artifact) -> ChunkMetadata:
        """Draw, detect and seal a chunk of an artifact. The caller holds its lock."""
        protocol = self.protocol.for_eraser(artifact.eraser)
        requests = [
            Request(cell=cell, seed=chunk.seed, prompt=protocol.ask(cell))
            for cell in protocol.cells_for(Concept.parse(artifact.targets[0]))
        ]
        start, before = time.perf_counter(), lent.work.ufe
        seen, kept = [], []
        # digests and files are made while the next batch is drawn
        with ThreadPoolExecutor(max_workers=1) as clerk:
            for batch, images in self._looked_at(lent.pipe, requests, protocol.sampler):
                seen.append(self.detectors.detect(images))
                kept += [
                    clerk.submit(self._keep, image, image_path(chunk, request.cell))
                    for request, image in zip(batch, images, strict=True)
                ]
        digests, thumbnails = zip(*(item.result() for item in kept), strict=True)
        table = seen_table(requests, digests, joined(seen), self.detectors)
        seconds = time.perf_counter() - start
        shown = dict(zip((request.cell for request in requests), thumbnails, strict=True))
        picture = BytesIO()
        grid_picture(shown, protocol).save(picture, "webp", quality=90)
        ufe = lent.work.ufe - before
        return chunk.write(table, seconds=seconds, picture=picture.getvalue(), ufe=ufe)

    def _looked_at(
        self, pipe: StableDiffusionPipeline, requests: Sequence[Request], sampler: Sampler
    ) -> Iterator[tuple[list[Request], list[np.ndarray]]]:
        """Draw, and hand on as many images as the detectors take at once."""
        asked: list[Request] = []
        images: list[np.ndarray] = []
        for batch, drawn in draw(pipe, requests, sampler):
            asked, images = [*asked, *batch], [*images, *drawn]
            self.on_batch(len(batch))
            while len(images) >= BATCH_SIZE:
                yield asked[:BATCH_SIZE], images[:BATCH_SIZE]
                asked, images = asked[BATCH_SIZE:], images[BATCH_SIZE:]
        if images:
            yield asked, images

    def _keep(self, image: UInt8[np.ndarray, "h w 3"], path: Path) -> tuple[str, Image.Image]:
        """Return an image's digest and thumbnail; write it if all are to be kept."""
        picture = Image.fromarray(image)
        if self.keep_images:
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
        small = picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        return digest_image(image), small


def draw_all(
    pipe: StableDiffusionPipeline,
    requests: Sequence[Request],
    sampler: Sampler,
    *,
    on_batch: Callable[[int], None],
) -> UInt8[np.ndarray, "n h w 3"]:
    """Return the images of all requests; ``on_batch`` hears of every batch."""
    parts = []
    for batch, images in draw(pipe, requests, sampler):
        parts.append(images)
        on_batch(len(batch))
    return np.concatenate(parts)


def digest_image(image: UInt8[np.ndarray, "h w 3"]) -> str:
    """Return the sha256 of an image's bytes."""
    return hashlib.sha256(image.tobytes()).hexdigest()


def detected_table(
    requests: Sequence[Request], images: UInt8[np.ndarray, "n h w 3"], detectors: Detectors
) -> pa.Table:
    """Return the rows of images that are in memory: what was asked, and what is seen in them."""
    return seen_table(
        requests, list(map(digest_image, images)), detectors.detect(list(images)), detectors
    )


def seen_table(
    requests: Sequence[Request],
    digests: Sequence[str],
    detections: Detections,
    detectors: Detectors,
) -> pa.Table:
    """Return a chunk's rows: what was asked, each image's digest, what the detectors saw."""
    return to_table(
        requests,
        digests,
        detections,
        style_names=detectors.names("style"),
        object_names=detectors.names("object"),
    )


def image_path(chunk: Chunk, cell: Cell) -> Path:
    """Return where an image goes with ``--keep-images``."""
    names = [name.replace(" ", "_") for name in (cell.style, cell.object)]
    return chunk.folder.parent / "images" / names[0] / names[1] / f"seed{chunk.seed}.png"


def grid_path(chunk: Chunk) -> Path:
    """Return the chunk's grid picture: rows are styles, columns objects."""
    return chunk.picture_path


def grid_picture(thumbnails: Mapping[Cell, Image.Image], grid: Grid) -> Image.Image:
    """Return thumbnails in a grid of styles x objects; what is not drawn is grey."""
    columns = len(grid.objects)
    size = (columns * THUMBNAIL, len(grid.styles) * THUMBNAIL)
    sheet = Image.new("RGB", size, "lightgrey")
    for index, cell in enumerate(grid.cells()):
        if cell in thumbnails:
            place = (index % columns * THUMBNAIL, index // columns * THUMBNAIL)
            sheet.paste(thumbnails[cell], place)
    return sheet
