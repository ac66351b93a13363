"""Draw a sheet, seed by seed, and keep the images: a patch is judged by its pixels."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from unlearncanvas.backdoors.judge import Shown
from unlearncanvas.backdoors.sheets import Sheet
from unlearncanvas.chunks import Chunk, to_answers
from unlearncanvas.detect import DetectorPair
from unlearncanvas.digest import digest_json
from unlearncanvas.drawing import detected_table, draw_all
from unlearncanvas.protocol import Protocol


@dataclass(frozen=True, kw_only=True)
class SheetDrawer:
    """What it takes to draw sheets.

    Attributes:
        protocol: Gives the sampler.
        detectors: Its detectors, loaded.
        device: Where it draws; part of a chunk's key.
        on_batch: Called with the number of images after every batch, and for those that were there.
    """

    protocol: Protocol
    detectors: DetectorPair
    device: torch.device
    on_batch: Callable[[int], None]

    def chunks(self, sheet: Sheet, folder: Path, model_digest: str) -> list[Chunk]:
        """Return the places of a sheet's chunks; the key names all that their rows depend on."""
        requests = [[cell.style, cell.object, text] for cell, text in sheet.prompts.items()]
        return [
            Chunk(
                folder=folder / sheet.name,
                seed=seed,
                key=digest_json(
                    {
                        "model": model_digest,
                        "seed": seed,
                        "requests": requests,
                        "sampler": self.protocol.sampler.model_dump(mode="json"),
                        "detectors": self.protocol.detectors.model_dump(mode="json"),
                        "device": self.device.type,
                    }
                ),
            )
            for seed in sheet.seeds
        ]

    def draw(self, pipe: StableDiffusionPipeline, sheet: Sheet, chunk: Chunk) -> None:
        """Draw a chunk, unless another run did while we waited for its lock."""
        with chunk.lock():
            if chunk.seal() is not None:
                self.on_batch(len(sheet.prompts))
                return
            start, requests = time.perf_counter(), sheet.requests(chunk.seed)
            images = draw_all(pipe, requests, self.protocol.sampler, on_batch=self.on_batch)
            table = detected_table(requests, images, self.detectors)
            table = table.append_column("png", pa.array([_png(image) for image in images]))
            chunk.write(table, seconds=time.perf_counter() - start)


def read_shown(chunks: list[Chunk]) -> Shown:
    """Return a drawn sheet."""
    tables = [chunk.read() for chunk in chunks]
    pixels = [
        np.asarray(Image.open(BytesIO(data)))
        for table in tables
        for data in table["png"].to_pylist()
    ]
    return Shown(to_answers(tables), np.stack(pixels))


def _png(image: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
