"""Pipelines to draw with: the base model with one stored artifact on it at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from unlearncanvas.pipelines.artifacts import (
    leaves_of,
    read_artifact,
    restore,
    restore_tensors,
    snapshot,
)
from unlearncanvas.pipelines.optimizations import prepare_pipeline, without_compiling
from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.ufe import Counted, counted


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
        self._pipe = prepare_pipeline(self._load(), self._sampler)

    @contextmanager
    def erased(self, folder: Path) -> Iterator[Counted]:
        """Lend the pipeline with the artifact in ``folder``, as read from the disk.

        Its work is counted from before the artifact is put on: copies that a hook makes count too.
        """
        artifact, tensors = read_artifact(folder)
        leaves = leaves_of(artifact)
        before = snapshot(self._pipe, tensors)
        if leaves != "weights":
            without_compiling(self._pipe)
        try:
            with counted(self._pipe) as lent:
                restore(self._pipe, artifact, tensors)
                self._pipe.to(getattr(torch, self._sampler.dtype))
                yield lent
        finally:
            if leaves == "weights":
                restore_tensors(self._pipe, before)
            else:
                self._start_afresh()
