"""The UnlearnCanvas dataset: the folders ``style/object/index.jpg``, or the Hub's parquet files.

Its card is OPTML-Group/UnlearnCanvas: 61 themes (60 styles and the photos that they were made from)
x 20 objects x 20 images, 76 GB. The parquet files hold ``image`` and ``text`` and no index: the
n-th row of a caption is taken for image n.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from unlearncanvas.canvases.real_images import RealImageSource, Wanted
from unlearncanvas.canvases.sources import require_dataset
from unlearncanvas.canvases.unlearncanvas.names import PHOTO, theme
from unlearncanvas.types import Cell

_CAPTION = re.compile(r"An? (?P<object>.+) image in (?P<style>.+) style\.?")


def caption(cell: Cell) -> str:
    """Return a cell's caption in the dataset: no full stop, ``photo`` in lower case.

    >>> caption(Cell(style="Van Gogh", object="Architectures"))
    'An Architectures image in Van Gogh style'
    """
    style = "photo" if cell.style == PHOTO else cell.style
    article = "An" if cell.object[0] in "AEIOU" else "A"
    return f"{article} {cell.object} image in {style} style"


def parse_caption(text: str) -> Cell:
    """Return the cell that a caption or a prompt names.

    Raises:
        ValueError: If it is not of the form ``A Cats image in Van Gogh style``.
    """
    named = _CAPTION.fullmatch(text.strip())
    if named is None:
        raise ValueError(f"not a caption of UnlearnCanvas: {text!r}")
    style = named["style"]
    return Cell(style=PHOTO if style == "photo" else style, object=named["object"])


def open_dataset(where: str, indices: tuple[int, ...]) -> RealImageSource:
    """Return the dataset in a folder (of folders, or of parquet files) or on the Hub.

    Args:
        where: The folder, or the Hub's ``owner/name``.
        indices: Images of each cell that may be read, 1 to 20; their order is that of the numbers.

    Raises:
        ValueError: If there is no such dataset.
    """
    require_dataset(where)
    folder = Path(where).expanduser()
    if not folder.exists():
        return ParquetImages(where=where, files=None, indices=indices)
    parquet = tuple(str(path) for path in sorted(folder.rglob("*.parquet")))
    if parquet:
        return ParquetImages(where=where, files=parquet, indices=indices)
    if not any(folder.glob("*/*/*.jpg")):
        raise ValueError(
            f"--dataset {where}: expected style/object/index.jpg, as in Van_Gogh/Cats/1.jpg, or "
            "parquet files"
        )
    return FolderImages(folder=folder, indices=indices)


@final
@dataclass(frozen=True, kw_only=True)
class FolderImages(RealImageSource):
    """``style/object/index.jpg``.

    Attributes:
        folder: The dataset.
        indices: Images that may be read.
    """

    folder: Path
    indices: tuple[int, ...]

    @property
    def identity(self) -> Mapping[str, object]:
        """Return the dataset's name and the indices; the folder's place does not matter."""
        return {"dataset": "UnlearnCanvas", "indices": self.indices}

    def read(self, wanted: Sequence[Wanted]) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]]:
        """Yield the images in order."""
        for place, (cell, number) in enumerate(wanted):
            path = self._theme(cell) / cell.object / f"{self.indices[number]}.jpg"
            try:
                yield place, decoded(path.read_bytes())
            except FileNotFoundError as exc:
                raise ValueError(f"the dataset has no {path}; is the download complete?") from exc
            except (UnidentifiedImageError, OSError) as exc:
                raise ValueError(f"{path} is damaged, download it again: {exc}") from exc

    def _theme(self, cell: Cell) -> Path:
        folder = self.folder / theme(cell.style)
        # the README of the release spells the photos' folder without its last letter
        return folder if folder.is_dir() else self.folder / folder.name.removesuffix("s")


@final
@dataclass(frozen=True, kw_only=True)
class ParquetImages(RealImageSource):
    """Rows of ``image`` and ``text``, read as a stream: one pass, one image in memory at a time.

    Attributes:
        where: What the user called it.
        files: Local files; None for the Hub's.
        indices: Images that may be read.
    """

    where: str
    files: tuple[str, ...] | None
    indices: tuple[int, ...]

    @property
    def identity(self) -> Mapping[str, object]:
        """Return the dataset's name and the indices, the same as the folders' have."""
        return {"dataset": "UnlearnCanvas", "indices": self.indices}

    def read(self, wanted: Sequence[Wanted]) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]]:
        """Yield the images in the order of the files."""
        places = {
            (cell, self.indices[number]): place for place, (cell, number) in enumerate(wanted)
        }
        seen: Counter[Cell] = Counter()
        for text, data in self._rows():
            cell = parse_caption(text)
            seen[cell] += 1
            place = places.pop((cell, seen[cell]), None)
            if place is not None:
                yield place, decoded(data)
            if not places:
                return
        missing = ", ".join(f"{cell.style}/{cell.object} {index}" for cell, index in [*places][:3])
        raise ValueError(
            f"--dataset {self.where}: {len(places)} images are missing ({missing}, ...); is the "
            "download complete?"
        )

    def _rows(self) -> Iterator[tuple[str, bytes]]:
        from datasets import Image as ImageFeature
        from datasets import load_dataset

        try:
            if self.files is None:
                rows = load_dataset(self.where, split="train", streaming=True)
            else:
                files = {"train": list(self.files)}
                rows = load_dataset("parquet", data_files=files, split="train", streaming=True)
            for row in rows.cast_column("image", ImageFeature(decode=False)):
                yield row["text"], row["image"]["bytes"]
        except (OSError, KeyError) as exc:
            reason = str(exc).strip().splitlines()[0]
            raise ValueError(f"cannot read the dataset {self.where!r}: {reason}") from exc


def decoded(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """Return an encoded image's pixels."""
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))
