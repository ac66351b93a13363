"""Pipelines to draw with: the base model with one stored artefact on it at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from unlearncanvas.models import leaves_of, put_back, read_artefact, restore, snapshot
from unlearncanvas.protocol_parts import Sampler
from unlearncanvas.tuning import tuned, without_compiling
from unlearncanvas.ufe import Counted, counted


class Studio:
    """Lends an erased pipeline ready to draw, and has the base model back afterwards.

    Changed weights are copied in place and copied back, no others; for adapters and hooks the
    pipeline is loaded anew, and drawn with as it is: ``torch.compile`` would not see them.
    """

    def __init__(self, load: Callable[[], StableDiffusionPipeline], sampler: Sampler) -> None:
        """Keep how to load the base pipeline (float32) and how to draw."""
        self._load, self._sampler = load, sampler
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._pipe = tuned(self._load(), self._sampler)

    @contextmanager
    def erased(self, folder: Path) -> Iterator[Counted]:
        """Lend the pipeline with the artefact in ``folder``, as read from the disk.

        Its work is counted from before the artefact is put on: copies that a hook makes count too.
        """
        artefact, tensors = read_artefact(folder)
        leaves = leaves_of(artefact)
        before = snapshot(self._pipe, tensors)
        if leaves != "weights":
            without_compiling(self._pipe)
        try:
            with counted(self._pipe) as lent:
                restore(self._pipe, artefact, tensors)
                self._pipe.to(getattr(torch, self._sampler.dtype))
                yield lent
        finally:
            if leaves == "weights":
                put_back(self._pipe, before)
            else:
                self._start_afresh()
