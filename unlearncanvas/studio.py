"""Pipelines to draw with: the base model with one stored artefact on it at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from unlearncanvas.config import build, import_class
from unlearncanvas.models import put_back, read_artefact, snapshot


class Studio:
    """Lends an erased pipeline in drawing precision, and has the base model back afterwards.

    Changed weights are copied in place and copied back, no others; for adapters and hooks the
    pipeline is loaded anew.
    """

    def __init__(self, load: Callable[[], StableDiffusionPipeline], dtype: torch.dtype) -> None:
        """Keep how to load the base pipeline (float32) and the precision to draw in."""
        self._load, self._dtype = load, dtype
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._pipe = self._load().to(self._dtype)

    @contextmanager
    def erased(self, folder: Path) -> Iterator[StableDiffusionPipeline]:
        """Lend the pipeline with the artefact in ``folder``, as read from the disk."""
        artefact, tensors = read_artefact(folder)
        cls = import_class(artefact.eraser_class)
        eraser = build(cls, artefact.settings, where=f"eraser {artefact.eraser}")
        before = snapshot(self._pipe, tensors)
        try:
            eraser.restore(self._pipe, artefact.task(), tensors)
            yield self._pipe.to(self._dtype)
        finally:
            if eraser.leaves == "weights":
                put_back(self._pipe, before)
            else:
                self._start_afresh()
