"""Draw a sheet, chunk by chunk, and keep the images: a patch is judged by its pixels."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from unlearncanvas.canvases.detectors import Detectors
from unlearncanvas.core.digests import digest_json
from unlearncanvas.engine.chunks import Chunk, to_predictions
from unlearncanvas.engine.drawing import detected_table, draw_all
from unlearncanvas.engine.grid import Grid
from unlearncanvas.evaluations.backdoor.judge import Shown
from unlearncanvas.evaluations.backdoor.sheets import ImageSet
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.pipelines.ufe import Counted


class Portion(NamedTuple):
    """A chunk and what is drawn in it."""

    chunk: Chunk
    requests: list[Request]


@dataclass(frozen=True, kw_only=True)
class SheetDrawer:
    """What it takes to draw sheets.

    Attributes:
        protocol: Gives the sampler.
        detectors: What looks at the images.
        device: Where it draws; part of a chunk's key.
        on_batch: Called with the number of images after every batch, and for those that were there.
    """

    protocol: Grid
    detectors: Detectors
    device: torch.device
    on_batch: Callable[[int], None]

    def portions(self, sheet: ImageSet, folder: Path, model_digest: str) -> list[Portion]:
        """Return a sheet's portions; a chunk's key names all that its rows depend on."""
        prompts = [[cell.style, cell.object, text] for cell, text in sheet.prompts.items()]
        portions = []
        for seeds in sheet.groups(self.protocol.sampler.batch_size):
            key = digest_json(
                {
                    "model": model_digest,
                    "seeds": seeds,
                    "prompts": prompts,
                    "sampler": self.protocol.sampler.plain(),
                    **self.detectors.identity,
                    "device": self.device.type,
                }
            )
            chunk = Chunk(folder=folder / sheet.name, seed=seeds[0], key=key)
            portions.append(Portion(chunk, sheet.requests(seeds)))
        return portions

    def draw(self, lent: Counted, portion: Portion) -> None:
        """Draw a portion, unless another run did while we waited for its lock."""
        chunk, requests = portion
        with chunk.lock():
            if chunk.metadata() is not None:
                self.on_batch(len(requests))
                return
            start, before = time.perf_counter(), lent.work.ufe
            images = draw_all(lent.pipe, requests, self.protocol.sampler, on_batch=self.on_batch)
            table = detected_table(requests, images, self.detectors)
            table = table.append_column("png", pa.array([_png(image) for image in images]))
            seconds = time.perf_counter() - start
            chunk.write(table, seconds=seconds, ufe=lent.work.ufe - before)


def read_shown(portions: Sequence[Portion]) -> Shown:
    """Return a drawn sheet."""
    tables = [chunk.read() for chunk, _ in portions]
    pixels = [
        np.asarray(Image.open(BytesIO(data)))
        for table in tables
        for data in table["png"].to_pylist()
    ]
    return Shown(to_predictions(tables), np.stack(pixels))


def _png(image: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
