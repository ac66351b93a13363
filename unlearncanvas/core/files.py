"""Files that are complete or absent.

A file is written under a temporary name, which its writer keeps locked, and renamed when it is
complete. The kernel frees the lock of a process that dies: a temporary file that can be locked was
left behind, and the next writer of the file removes it.
"""

import fcntl
import glob
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from unlearncanvas.core.digests import digest_file

_log = logging.getLogger(__name__)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; it becomes ``path``, or is removed if the block fails."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.partial"):
        with suppress(BlockingIOError, FileNotFoundError), left.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
    partial = path.with_name(f"{path.name}.{uuid4().hex}.partial")
    with partial.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name, then rename it."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, then rename it."""
    with replacing(path) as partial:
        partial.write_bytes(data)


@contextmanager
def sealing(path: Path) -> Iterator[Path]:
    """As :func:`replacing`, and write the file's digest beside it, for :func:`is_whole`."""
    with replacing(path) as partial:
        yield partial
        digest = digest_file(partial)
    write_text(_seal_path(path), digest)


def is_whole(path: Path) -> bool:
    """Whether a file exists and has the digest beside it; a damaged one is logged."""
    if not path.exists():
        return False
    seal = _seal_path(path)
    if seal.exists() and seal.read_bytes() == digest_file(path).encode():
        return True
    _log.warning("%s is damaged or without its digest; making it again", path)
    return False


def _seal_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
