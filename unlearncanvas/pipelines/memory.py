"""Peak memory of a block: CUDA's own counter, or the resident size on Linux."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


@dataclass(kw_only=True)
class Peak:
    """Peak in bytes, known when the block has ended; None where it cannot be measured."""

    value: int | None = None


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """Measure the peak memory of the block: allocated on CUDA, resident on a Linux CPU."""
    peak = Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak.value = torch.cuda.max_memory_allocated(device)
        return
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        yield peak
        return
    yield peak
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    peak.value = int(line.split()[1]) * 1024
