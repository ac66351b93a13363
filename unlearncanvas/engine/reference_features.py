"""Features of real images, computed once and kept with what they were made from."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock

from metrics.base import RealFeatures
from unlearncanvas.canvases.detectors import BATCH_SIZE, Detectors, joined
from unlearncanvas.canvases.real_images import RealImageSource, Wanted, every
from unlearncanvas.canvases.sources import Sources
from unlearncanvas.core.digests import digest_json
from unlearncanvas.core.files import is_whole, sealing
from unlearncanvas.engine.grid import Grid

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class ReferenceFeatures:
    """Where metrics get features of real images.

    Attributes:
        grid: Whose cells.
        source: Where the images come from.
        detectors: What looks at them.
        cache_dir: Where features are kept; None keeps them in memory only.
    """

    grid: Grid
    source: RealImageSource
    detectors: Detectors
    cache_dir: Path | None = None
    _known: dict[tuple[int, int], RealFeatures] = field(default_factory=dict)

    def real(self, count: int, *, start: int = 0) -> RealFeatures:
        """Return features of ``count`` images a cell, from the ``start``-th on."""
        key = (count, start)
        if key not in self._known:
            wanted = every(self.grid.cells(), count, start=start)
            self._known[key] = RealFeatures(
                cells=[item.cell for item in wanted], features=self._features(wanted)
            )
        return self._known[key]

    def _features(self, wanted: Sequence[Wanted]) -> dict[str, np.ndarray]:
        """Features of images, in their order, rounded as those of generated images are."""
        key = digest_json(
            {
                "source": self.source.identity,
                "wanted": [[item.cell.style, item.cell.object, item.number] for item in wanted],
                "eyes": self.detectors.identity,
            }
        )
        if self.cache_dir is None:
            return _as_double(self._seen(wanted))
        path = self.cache_dir / f"{key[:16]}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not is_whole(path):
                with sealing(path) as partial, partial.open("wb") as file:
                    np.savez(file, allow_pickle=False, **self._seen(wanted))
            with np.load(path) as kept:
                return _as_double({name: kept[name] for name in kept.files})

    def _seen(self, wanted: Sequence[Wanted]) -> dict[str, np.ndarray]:
        places: list[int] = []
        images: list[np.ndarray] = []
        parts = []
        for place, image in self.source.read(wanted):
            places.append(place)
            images.append(image)
            if len(images) == BATCH_SIZE or len(places) == len(wanted):
                parts.append(self.detectors.detect(images))
                images = []
        order = np.argsort(places)
        features = joined(parts).features
        return {name: values[order].astype(np.float16) for name, values in features.items()}


def _as_double(features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: values.astype(np.float64) for name, values in features.items()}


def open_reference(
    grid: Grid, detectors: Detectors, sources: Sources, cache_dir: Path
) -> ReferenceFeatures | None:
    """Return where features of real images come from; None, and a line says so, if nowhere."""
    try:
        source = grid.reference.open(sources)
    except ValueError as exc:
        _log.warning("scores that need real images (FID, KID, artifacts) are left out: %s", exc)
        return None
    return ReferenceFeatures(
        grid=grid,
        source=source,
        detectors=detectors,
        cache_dir=cache_dir if grid.reference.cached else None,
    )
