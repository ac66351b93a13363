"""Inputs of scores: drawn images, features of real images, digests of models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from metrics.base import Predictions, RealFeatures
from unlearncanvas.engine.chunks import to_predictions
from unlearncanvas.engine.drawing import PIXELS, Unit
from unlearncanvas.engine.job import Job
from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.engine.reference_features import ReferenceFeatures
from unlearncanvas.pipelines.artifacts import Artifact

T = TypeVar("T")


@dataclass(frozen=True)
class DrawnSet:
    """The images of one model for an image set.

    Attributes:
        units: Its chunks, all whole.
    """

    units: Sequence[Unit]

    @cached_property
    def predictions(self) -> Predictions:
        """One entry an image, chunk by chunk."""
        return to_predictions([unit.chunk.read() for unit in self.units])

    @cached_property
    def pixels(self) -> UInt8[np.ndarray, "n h w 3"]:
        """The images themselves, of sets that keep them."""
        return np.stack(
            [
                np.asarray(Image.open(BytesIO(data)))
                for unit in self.units
                for data in unit.chunk.read()[PIXELS].to_pylist()
            ]
        )


Drawn = Mapping[str, DrawnSet]
"""What a model drew for a job, by name of the image set."""


@dataclass(kw_only=True)
class Scoring:
    """Inputs of scores. Images of the base model's jobs are cached, others are read every time.

    Attributes:
        reference: Features of real images; None without the dataset.
        device: For metrics that are networks.
        find: Returns the images of a job.
        artifact: Returns the provenance of a recipe's last step.
        model_digest: Returns the digest of a recipe's tensors.
        has_base: Whether the base model's images are among those of ``find``; there are none beside
            images that were drawn elsewhere.
    """

    reference: ReferenceFeatures | None
    device: torch.device
    find: Callable[[Job], Drawn]
    artifact: Callable[[Recipe], Artifact]
    model_digest: Callable[[Recipe], str]
    has_base: bool = True
    _base: dict[str, DrawnSet] = field(default_factory=dict)
    _last: tuple[Job, Drawn] | None = None
    _once: dict[str, Any] = field(default_factory=dict)

    def drawn(self, job: Job) -> Drawn:
        """Return the images of a job."""
        if job.is_base:
            return {name: self._kept(found) for name, found in self.find(job).items()}
        if self._last is None or self._last[0] is not job:
            self._last = job, self.find(job)
        return self._last[1]

    def _kept(self, drawn: DrawnSet) -> DrawnSet:
        key = " ".join(str(unit.chunk.path) for unit in drawn.units)
        return self._base.setdefault(key, drawn)

    def once(self, key: str, compute: Callable[[], T]) -> T:
        """Return the cached value of a key; ``compute`` is called once for each."""
        if key not in self._once:
            self._once[key] = compute()
        found: T = self._once[key]
        return found

    def real(self, count: int, *, start: int = 0) -> RealFeatures | None:
        """Return features of real images of every cell, if there are any."""
        return None if self.reference is None else self.reference.real(count, start=start)
