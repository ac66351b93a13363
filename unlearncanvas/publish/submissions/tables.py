"""The parquet files of a bundle, read with suspicion."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from unlearncanvas.canvases.detectors import Detectors
from unlearncanvas.engine.chunks import Chunk
from unlearncanvas.engine.drawing import PIXELS, digest_image
from unlearncanvas.engine.image_sets import ImageSet
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.types import Domain

MAX_TABLE = 2_000_000_000
"""Bytes of a table once it is decompressed."""
MAX_SIDE = 4096
"""Pixels of an image in it."""
DOMAINS: tuple[Domain, ...] = ("style", "object")


@final
@dataclass(frozen=True, kw_only=True)
class BundleChunk(Chunk):
    """A chunk in a bundle: its rows are checked whenever they are read.

    Attributes:
        file: The parquet file.
        image_set: What the evaluation draws.
        seeds: The chunk's part of it.
        detectors: Whose predictions are in it.
    """

    file: Path
    image_set: ImageSet
    seeds: tuple[int, ...]
    detectors: Detectors

    @property
    def path(self) -> Path:
        """The parquet file."""
        return self.file

    def read(self) -> pa.Table:
        """Return the rows.

        Raises:
            ValueError: If they contradict themselves, or are not of the images that were asked for.
        """
        try:
            return self._checked()
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as exc:
            raise ValueError(f"{self.file.name}: {' '.join(str(exc).split())}") from exc

    def _checked(self) -> pa.Table:
        about = pq.read_metadata(self.file)
        size = sum(about.row_group(row).total_byte_size for row in range(about.num_row_groups))
        if size > MAX_TABLE:
            raise ValueError(f"holds {size:,} bytes, at most {MAX_TABLE:,} are taken")
        table = pq.read_table(self.file)
        _check_requests(table, self.image_set.requests(self.seeds))
        for domain in DOMAINS:
            probable = np.stack([np.asarray(row) for row in table[f"{domain}_prob"].to_pylist()])
            predicted = table[f"{domain}_pred"].to_pylist()
            _check_probabilities(domain, probable, predicted, self.detectors.names(domain))
        if self.image_set.keep_pixels:
            _check_pixels(table)
        return table


def _check_requests(table: pa.Table, requests: Sequence[Request]) -> None:
    """Every row is of the image that is asked for at its place."""
    if table.num_rows != len(requests):
        raise ValueError(f"holds {table.num_rows} images, the protocol asks for {len(requests)}")
    rows = table.select(["style", "object", "seed", "prompt"]).to_pylist()
    for row, request in zip(rows, requests, strict=True):
        said = (row["style"], row["object"], row["seed"])
        asked = (request.cell.style, request.cell.object, request.seed)
        if said != asked:
            raise ValueError(f"an image is of {said}, the protocol asks for {asked}")
        if row["prompt"] != request.prompt:
            raise ValueError(
                f"drawn for {row['prompt']!r}, the protocol asks for {request.prompt!r}"
            )


def _check_probabilities(
    domain: Domain, probable: np.ndarray, predicted: Sequence[str], names: Sequence[str]
) -> None:
    """The predicted name is the one of the largest probability."""
    if probable.shape[1:] != (len(names),):
        raise ValueError(f"{domain} probabilities are of {probable.shape[1:]}, not {len(names)}")
    if not np.isfinite(probable).all() or abs(probable.sum(axis=1) - 1).max() > 0.01:
        raise ValueError(f"{domain} probabilities do not add up to 1")
    for index, name in zip(probable.argmax(axis=1).tolist(), predicted, strict=True):
        if names[index] != name:
            raise ValueError(
                f"{domain} predictions contradict the probabilities beside them ({name})"
            )


def _check_pixels(table: pa.Table) -> None:
    """The images in a table are those whose digests are beside them."""
    digests = table["sha256"].to_pylist()
    for digest, image in zip(digests, _images(table), strict=True):
        if digest_image(image) != digest:
            raise ValueError("an image is not the one whose sha256 is beside it")


def _images(table: pa.Table) -> Iterator[np.ndarray]:
    for data in table[PIXELS].to_pylist():
        with Image.open(BytesIO(data), formats=["PNG"]) as picture:
            if picture.mode != "RGB" or max(picture.size) > MAX_SIDE:
                raise ValueError(f"an image is {picture.mode} of {picture.size}, not RGB and small")
            yield np.asarray(picture)
