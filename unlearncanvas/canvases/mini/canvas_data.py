"""The painted training set in memory, as tensors."""

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from unlearncanvas.canvases.mini.objects import OBJECTS
from unlearncanvas.canvases.mini.painter import IMAGE_SIZE, SPLITS, paint
from unlearncanvas.canvases.mini.styles import STYLES


class Painted(NamedTuple):
    """Painted images with their labels."""

    images: UInt8[Tensor, "n 3 h w"]
    styles: Int[Tensor, " n"]
    objects: Int[Tensor, " n"]


def _cell(args: tuple[str, str, int, int]) -> np.ndarray:
    style, obj, start, count = args
    images = np.empty((count, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    for offset in range(count):
        images[offset] = np.asarray(paint(style, obj, start + offset))
    return images


def painted(num_per_cell: int, *, split: str, cache_dir: Path | None = None) -> Painted:
    """Return ``num_per_cell`` images of each of the 144 cells, cell by cell.

    Args:
        num_per_cell: Images a cell, from the start of the split.
        split: One of :data:`.painter.SPLITS`.
        cache_dir: Keep the painted images there between calls; None paints them every time.
    """
    cells = [(style, obj) for style in range(len(STYLES)) for obj in range(len(OBJECTS))]
    path = None if cache_dir is None else cache_dir / f"{split}-{num_per_cell}.npy"
    if path is not None and path.exists():
        images = np.load(path)
    else:
        names = [
            (list(STYLES)[style], list(OBJECTS)[obj], SPLITS[split], num_per_cell)
            for style, obj in cells
        ]
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            images = np.concatenate(list(pool.map(_cell, names)))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, images)
    labels = torch.tensor(cells).repeat_interleave(num_per_cell, dim=0)
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return Painted(tensor, labels[:, 0], labels[:, 1])


def to_model(images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Return bytes as float in [-1, 1], what the autoencoder and the detectors take."""
    return images.float() / 127.5 - 1
