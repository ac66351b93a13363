"""Draw one chunk: sample, detect in memory, seal. Image files only on request."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from diffusers import StableDiffusionPipeline
from jaxtyping import UInt8
from PIL import Image

from unlearncanvas.chunks import Chunk, Seal, to_table
from unlearncanvas.detect import DetectorPair
from unlearncanvas.digest import digest_json
from unlearncanvas.models import Artefact
from unlearncanvas.protocol import Protocol, Sampler
from unlearncanvas.sample import Request, draw
from unlearncanvas.types import Cell

THUMBNAIL = 64
"""Pixels a side of an image in the grid picture that is kept of every chunk."""


@dataclass(frozen=True, kw_only=True)
class ChunkDrawer:
    """What it takes to draw chunks of one protocol.

    Attributes:
        protocol: The rules.
        detectors: Its detectors, loaded.
        device: Where it draws; part of a chunk's key.
        keep_images: Write every image to ``images/style/object/seedN.png`` too.
        on_batch: Called with the number of images after every batch.
    """

    protocol: Protocol
    detectors: DetectorPair
    device: torch.device
    keep_images: bool
    on_batch: Callable[[int], None]

    def chunk(self, artefact: Artefact, folder: Path, seed: int) -> Chunk:
        """Return the place of a chunk; its key names all that its rows depend on."""
        protocol = self.protocol
        key = digest_json(
            {
                "artefact": artefact.digest,
                "tensors": artefact.tensors_digest,
                "seed": seed,
                "prompt": protocol.prompt,
                "styles": protocol.styles,
                "objects": protocol.objects,
                "sampler": protocol.sampler.model_dump(mode="json"),
                "detectors": protocol.detectors.model_dump(mode="json"),
                "device": self.device.type,
            }
        )
        return Chunk(folder=folder / "chunks", seed=seed, key=key)

    def finished(self, chunk: Chunk) -> Seal | None:
        """Return the chunk's seal if nothing of it needs to be drawn."""
        seal = chunk.seal()
        if seal is None or not self.keep_images:
            return seal
        paths = (image_path(chunk, cell) for cell in self.protocol.cells())
        return seal if all(path.exists() for path in paths) else None

    def draw(self, pipe: StableDiffusionPipeline, chunk: Chunk) -> Seal:
        """Draw, detect and seal a chunk. The caller holds its lock."""
        protocol = self.protocol
        requests = [
            Request(cell=cell, seed=chunk.seed, prompt=protocol.ask(cell))
            for cell in protocol.cells()
        ]
        start = time.perf_counter()
        images = draw_all(pipe, requests, protocol.sampler, on_batch=self.on_batch)
        table = detected_table(requests, images, self.detectors)
        seconds = time.perf_counter() - start
        if self.keep_images:
            for request, image in zip(requests, images, strict=True):
                save_image(image, image_path(chunk, request.cell))
        chunk.folder.mkdir(parents=True, exist_ok=True)
        grid_picture(images, columns=len(protocol.objects)).save(grid_path(chunk), quality=90)
        return chunk.write(table, seconds=seconds)


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


def detected_table(
    requests: Sequence[Request], images: UInt8[np.ndarray, "n h w 3"], detectors: DetectorPair
) -> pa.Table:
    """Return a chunk's rows: what was asked, each image's digest, what the detectors saw."""
    return to_table(
        requests,
        [hashlib.sha256(image.tobytes()).hexdigest() for image in images],
        detectors.detect(images),
        style_names=detectors.style.names,
        object_names=detectors.object.names,
    )


def image_path(chunk: Chunk, cell: Cell) -> Path:
    """Return where an image goes with ``--keep-images``."""
    names = [name.replace(" ", "_") for name in (cell.style, cell.object)]
    return chunk.folder.parent / "images" / names[0] / names[1] / f"seed{chunk.seed}.png"


def grid_path(chunk: Chunk) -> Path:
    """Return the chunk's grid picture: rows are styles, columns objects."""
    return chunk.path.with_suffix(".webp")


def save_image(image: UInt8[np.ndarray, "h w 3"], path: Path) -> None:
    """Write one PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def grid_picture(images: UInt8[np.ndarray, "n h w 3"], *, columns: int) -> Image.Image:
    """Return the images side by side, each reduced to a thumbnail."""
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * THUMBNAIL, rows * THUMBNAIL))
    for index, image in enumerate(images):
        small = Image.fromarray(image).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        sheet.paste(small, (index % columns * THUMBNAIL, index // columns * THUMBNAIL))
    return sheet
