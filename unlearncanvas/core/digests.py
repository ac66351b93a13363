"""Digests: sha256 over canonical bytes."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SHORT = 12


def digest_json(value: object) -> str:
    """Return the digest of plain data; the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_tensors(tensors: Mapping[str, "Tensor"]) -> str:
    """Return the digest of names, shapes and values; values are read as float32."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu()
        values = tensor.float() if tensor.is_floating_point() else tensor
        total.update(f"{name}:{tuple(values.shape)};".encode())
        total.update(values.contiguous().numpy().tobytes())
    return total.hexdigest()
