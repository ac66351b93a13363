"""Where the mini canvas is trained and measured."""

import torch


def device_of(name: str) -> torch.device:
    """Return the device of that name; ``auto`` is a GPU if there is one.

    Raises:
        ValueError: If it is none of auto, cpu and cuda, or this machine does not have it.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"--device takes auto, cpu or cuda, got {name!r}")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ValueError("--device cuda: this machine has no usable GPU; use cpu")
    return torch.device("cuda" if there and name != "cpu" else "cpu")
