"""Tensors from third-party files: safetensors, or a pickle whose code is not executed."""

import pickle
from pathlib import Path
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
WRAPPERS = ("state_dict", "model_state_dict")
"""Keys that training scripts keep the tensors under."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return a file's tensors by name, on the CPU.

    Raises:
        ValueError: If it is damaged, or holds more than tensors and plain data.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as exc:
        raise ValueError(
            f"{path} cannot be read without running the code in it; ask its author for a "
            "safetensors file"
        ) from exc
    except (OSError, SafetensorError, RuntimeError, EOFError, BadZipFile) as exc:
        raise ValueError(
            f"{path} is truncated or damaged, download it again: {str(exc).splitlines()[0]}"
        ) from exc
    for wrapper in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    tensors = {
        str(name): value
        for name, value in (found.items() if isinstance(found, dict) else ())
        if isinstance(value, Tensor)
    }
    if not tensors:
        raise ValueError(f"{path} holds no tensors by name")
    return tensors
