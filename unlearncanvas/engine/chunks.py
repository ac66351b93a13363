"""Chunks: every cell of the grid at one seed, the unit of work and of resume.

A chunk is a parquet file, one row an image, and a JSON file of metadata that is written last and
has the digests of the parquet file and of its small picture. A chunk without metadata does not
exist; one that does not match its metadata is drawn again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from pydantic import ValidationError

from metrics.base import Predictions
from unlearncanvas.canvases.detectors import OWN, Detections
from unlearncanvas.core.digests import SHORT, digest_file
from unlearncanvas.core.files import replacing, write_bytes, write_text
from unlearncanvas.core.record import Record
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.types import Cell

FEATURES = "features"
"""Column of the detectors' features; those of other extractors have their name behind it."""


class ChunkMetadata(Record):
    """Metadata of a finished chunk.

    Attributes:
        key: Digest of everything that its pixels depend on.
        seed: The protocol's seed.
        num_images: Rows of the parquet file.
        seconds: Time that drawing and detecting took.
        sha256: Digest of the parquet file.
        picture_sha256: Digest of the small picture beside it; None where there is none.
        ufe: UNet forward equivalents of all its images; None in files from before it was counted.
    """

    key: str
    seed: int
    num_images: int
    seconds: float
    sha256: str
    picture_sha256: str | None = None
    ufe: float | None = None


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """The files of one chunk.

    Attributes:
        folder: Folder of the chunks of one image set of a model.
        seed: The protocol's seed.
        key: Digest of all that its pixels depend on.
    """

    folder: Path
    seed: int
    key: str

    @classmethod
    def at(cls, path: Path) -> "Chunk | None":
        """Return the chunk of a parquet file; None if it is not complete."""
        try:
            metadata = ChunkMetadata.model_validate_json(
                path.with_suffix(".json").read_text(encoding="utf-8")
            )
        except (OSError, ValueError):
            return None
        chunk = cls(folder=path.parent, seed=metadata.seed, key=metadata.key)
        return chunk if chunk.path == path and chunk.metadata() is not None else None

    @property
    def path(self) -> Path:
        """The parquet file."""
        return self.folder / f"seed{self.seed}-{self.key[:SHORT]}.parquet"

    @property
    def metadata_path(self) -> Path:
        """The metadata."""
        return self.path.with_suffix(".json")

    @property
    def picture_path(self) -> Path:
        """The small picture of all images, where one is kept."""
        return self.path.with_suffix(".webp")

    def files(self) -> list[Path]:
        """Return the files of a finished chunk, the metadata last."""
        picture = self.picture_path
        return [self.path, *([picture] if picture.is_file() else []), self.metadata_path]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the chunk; a second run waits. The kernel frees the lock when a process dies."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")):
            yield

    def metadata(self) -> ChunkMetadata | None:
        """Return the metadata if the chunk is complete, else None."""
        if not self.metadata_path.exists():
            return None
        try:
            metadata = ChunkMetadata.model_validate_json(
                self.metadata_path.read_text(encoding="utf-8")
            )
        except (ValidationError, UnicodeDecodeError):
            return None
        sealed = {self.path: metadata.sha256}
        if metadata.picture_sha256 is not None:
            sealed[self.picture_path] = metadata.picture_sha256
        whole = all(path.exists() and digest_file(path) == said for path, said in sealed.items())
        return metadata if whole and metadata.key == self.key else None

    def damaged(self) -> bool:
        """Whether the metadata exists, but a file is missing or does not match its digest."""
        return self.metadata_path.exists() and self.metadata() is None

    def write(
        self,
        table: pa.Table,
        *,
        seconds: float,
        picture: bytes | None = None,
        ufe: float | None = None,
    ) -> ChunkMetadata:
        """Write the images' rows and their small picture, then the metadata."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as partial:
            pq.write_table(table, partial)
            digest = digest_file(partial)
        if picture is not None:
            write_bytes(self.picture_path, picture)
        metadata = ChunkMetadata(
            key=self.key,
            seed=self.seed,
            num_images=table.num_rows,
            seconds=seconds,
            sha256=digest,
            picture_sha256=None if picture is None else sha256(picture).hexdigest(),
            ufe=ufe,
        )
        write_text(self.metadata_path, metadata.model_dump_json() + "\n")
        return metadata

    def read(self) -> pa.Table:
        """Return the rows."""
        return pq.read_table(self.path)


def ufe_per_image(records: Sequence[ChunkMetadata]) -> float | None:
    """Return the mean work of an image; None where a chunk is from before it was counted."""
    counts = [metadata.ufe for metadata in records]
    if None in counts:
        return None
    return sum(filter(None, counts)) / sum(metadata.num_images for metadata in records)


def to_table(
    requests: Sequence[Request],
    digests: Sequence[str],
    detections: Detections,
    *,
    style_names: Sequence[str],
    object_names: Sequence[str],
) -> pa.Table:
    """Return one row an image."""

    def rows(values: np.ndarray, dtype: str) -> pa.Array:
        flat = pa.array(np.ascontiguousarray(values, dtype=dtype).ravel())
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])

    columns = {
        _column(name): rows(values, "float16") for name, values in detections.features.items()
    }
    return pa.table(
        {
            "style": [request.cell.style for request in requests],
            "object": [request.cell.object for request in requests],
            "seed": [request.seed for request in requests],
            "prompt": [request.prompt for request in requests],
            "sha256": list(digests),
            "style_pred": [style_names[row.argmax()] for row in detections.style_prob],
            "object_pred": [object_names[row.argmax()] for row in detections.object_prob],
            "style_prob": rows(detections.style_prob, "float32"),
            "object_prob": rows(detections.object_prob, "float32"),
            **columns,
        }
    )


def _column(extractor: str) -> str:
    """The column of an extractor's features."""
    return FEATURES if extractor == OWN else f"{FEATURES}_{extractor}"


def to_predictions(tables: Sequence[pa.Table]) -> Predictions:
    """Return the rows of several chunks as predictions."""
    table = pa.concat_tables(tables)
    column = {name: table[name].to_pylist() for name in ("style", "object", "seed")}
    features = {
        name.removeprefix(f"{FEATURES}_") if name != FEATURES else OWN: _matrix(table[name])
        for name in table.column_names
        if name.startswith(FEATURES)
    }
    return Predictions(
        cells=[
            Cell(style=style, object=obj)
            for style, obj in zip(column["style"], column["object"], strict=True)
        ],
        seeds=column["seed"],
        style_pred=table["style_pred"].to_pylist(),
        object_pred=table["object_pred"].to_pylist(),
        style_prob=_matrix(table["style_prob"]),
        object_prob=_matrix(table["object_prob"]),
        features=features,
    )


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    """The rows of a column of lists, float64."""
    parts = [
        chunk.flatten().to_numpy(zero_copy_only=False).reshape(len(chunk), -1)
        for chunk in column.chunks
    ]
    return np.concatenate(parts).astype(np.float64)
