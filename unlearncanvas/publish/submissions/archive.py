"""A bundle as a folder, or as the zip file of one, opened with care."""

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from unlearncanvas.publish.submissions.bundle import bundles
from unlearncanvas.publish.submissions.seal import MAX_BUNDLE, MAX_FILE, MAX_FILES

RATIO = 200
"""A file that shrinks more than this is a bomb; float16 features shrink by less than two."""


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Give the folder of a bundle; a zip file is unpacked somewhere and thrown away afterwards.

    Raises:
        ValueError: If it is neither, or the zip file is not one that may be unpacked.
    """
    if path.is_dir():
        yield path
        return
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} is no bundle: expected a folder with bundle.json, or its zip file"
        )
    with tempfile.TemporaryDirectory() as place:
        with zipfile.ZipFile(path) as archive:
            _check(archive)
            for item in archive.infolist():
                _unpack(archive, item, Path(place))
        found = list(bundles(Path(place)))
        if len(found) != 1:
            raise ValueError(f"{path} holds {len(found)} bundles, expected one")
        yield found[0]


def _check(archive: zipfile.ZipFile) -> None:
    """Refuse before anything is written."""
    items = archive.infolist()
    total = sum(item.file_size for item in items)
    if len(items) > MAX_FILES or total > MAX_BUNDLE:
        raise ValueError(f"the zip file holds {len(items)} files of {total:,} bytes: too large")
    for item in items:
        name = PurePosixPath(item.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in item.filename:
            raise ValueError(f"{item.filename!r} leaves the folder of the zip file")
        if stat.S_ISLNK(item.external_attr >> 16):
            raise ValueError(f"{item.filename!r} is a link; bundles hold files")
        if item.file_size > MAX_FILE or item.file_size > RATIO * max(item.compress_size, 1000):
            raise ValueError(f"{item.filename!r} unpacks to {item.file_size:,} bytes: too large")


def _unpack(archive: zipfile.ZipFile, item: zipfile.ZipInfo, place: Path) -> None:
    """Write one file, and no more of it than it said."""
    target = place / item.filename
    if item.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(item) as source, target.open("wb") as out:
        shutil.copyfileobj(source, out)
