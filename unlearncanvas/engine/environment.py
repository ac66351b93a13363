"""Hardware and library versions that the digits of a run may depend on."""

import platform
from importlib.metadata import version

import torch

PACKAGES = ("unlearncanvas", "torch", "diffusers", "transformers", "torchmetrics", "timm", "numpy")


def environment(device: torch.device) -> dict[str, str]:
    """Return hardware and library versions that the digits may depend on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device.type,
        "device_name": name,
        "threads": str(torch.get_num_threads()),
        **{package: version(package) for package in PACKAGES},
    }
