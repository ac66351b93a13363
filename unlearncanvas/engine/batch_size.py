"""The largest batch that fits into the memory of a GPU."""

import torch
from accelerate.utils import find_executable_batch_size
from diffusers import StableDiffusionPipeline

from unlearncanvas.engine.grid import Grid
from unlearncanvas.pipelines.sampling import Request, draw_batch

LARGEST = 128
STEPS = 2
"""Enough to have the UNet's, the scheduler's and the decoder's memory taken at once."""


def largest_batch(pipe: StableDiffusionPipeline, protocol: Grid, largest: int = LARGEST) -> int:
    """Return the largest power of two, up to ``largest``, that fits into memory.

    Raises:
        RuntimeError: If not even one image fits.
    """
    sampler = protocol.sampler.model_copy(update={"num_inference_steps": STEPS})
    cells = protocol.cells()
    tried = largest

    def half() -> int:
        nonlocal tried
        tried //= 2
        return tried

    def fits(batch_size: int) -> int:
        chosen = [cells[row % len(cells)] for row in range(batch_size)]
        requests = [Request(cell=cell, seed=0, prompt=protocol.ask(cell)) for cell in chosen]
        draw_batch(pipe, requests, sampler)
        if pipe.device.type == "cuda":
            torch.cuda.synchronize(pipe.device)
        return batch_size

    return int(
        find_executable_batch_size(fits, starting_batch_size=largest, reduce_batch_size_fn=half)()
    )
