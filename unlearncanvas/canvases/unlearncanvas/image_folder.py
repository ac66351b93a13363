"""Images made elsewhere, by cell and seed: the release's file names, or folders.

- ``Van_Gogh_Cats_seed188.jpg``: flat, as UnlearnCanvas' own scripts write them
- ``Van_Gogh/Cats/seed188.png``: folders, as ``--keep-images`` writes them
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from unlearncanvas.canvases.unlearncanvas.names import theme
from unlearncanvas.types import Cell

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_SEED = re.compile(r"(?P<name>.*?)_?seed_?(?P<seed>\d+)")
SHOWN = 3
"""Missing or unknown files that an error names."""


def official_name(cell: Cell, seed: int) -> str:
    """Return the release's file name.

    >>> official_name(Cell(style="Van Gogh", object="Cats"), 188)
    'Van_Gogh_Cats_seed188.jpg'
    """
    return f"{theme(cell.style)}_{cell.object.replace(' ', '_')}_seed{seed}.jpg"


def find_images(
    folder: Path, cells: Sequence[Cell], *, protocol: str, seed: int
) -> dict[int, dict[Cell, Path]]:
    """Return the images of a folder by seed and cell; every seed has the whole grid.

    Args:
        folder: Where the images are.
        cells: The grid.
        protocol: Its name, for messages.
        seed: A seed of the protocol, for messages.

    Raises:
        ValueError: If an image is missing, a duplicate, or not of the grid.
    """
    known = {
        f"{spelt}_{cell.object.replace(' ', '_')}": cell
        for cell in cells
        for spelt in {theme(cell.style), cell.style.replace(" ", "_")}
    }
    found: dict[int, dict[Cell, Path]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        named = _SEED.fullmatch("_".join([*path.relative_to(folder).parts[:-1], path.stem]))
        cell = None if named is None else known.get(named["name"])
        if named is None or cell is None:
            raise ValueError(
                f"{path} names no cell of {protocol}: expected "
                f"{official_name(cells[-1], seed)}, or the same as folders"
            )
        images = found.setdefault(int(named["seed"]), {})
        if cell in images:
            raise ValueError(f"{path} and {images[cell]} are the same cell at the same seed")
        images[cell] = path
    if not found:
        raise ValueError(f"{folder} holds no images ({', '.join(SUFFIXES)})")
    for drawn, images in found.items():
        _check_whole(folder, cells, drawn, images)
    return found


def _check_whole(
    folder: Path, cells: Sequence[Cell], seed: int, images: Mapping[Cell, Path]
) -> None:
    missing = [cell for cell in cells if cell not in images]
    if missing:
        names = ", ".join(official_name(cell, seed) for cell in missing[:SHOWN])
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise ValueError(
            f"{folder}: {len(missing)} of {len(cells)} images of seed {seed} are "
            f"missing: {names}{more}; nothing is scored without them"
        )


def read_images(
    paths: Sequence[Path], *, width: int, height: int
) -> list[UInt8[np.ndarray, "h w 3"]]:
    """Return images of the protocol's size.

    Raises:
        ValueError: If one is damaged or of another size.
    """
    images = []
    for path in paths:
        try:
            with Image.open(path) as image:
                pixels = np.array(image.convert("RGB"))
        except (UnidentifiedImageError, OSError) as exc:
            raise ValueError(f"{path} is damaged: {exc}") from exc
        if pixels.shape != (height, width, 3):
            raise ValueError(
                f"{path} is {pixels.shape[1]} x {pixels.shape[0]} pixels, the protocol draws "
                f"{width} x {height}"
            )
        images.append(pixels)
    return images
