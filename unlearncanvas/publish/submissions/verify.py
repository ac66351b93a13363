"""Draw a part of a bundle again and see whether it is what was submitted."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from metrics.intervals import wilson
from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.core.digests import digest_file
from unlearncanvas.core.files import write_text
from unlearncanvas.engine.drawing import detected_table, draw_all
from unlearncanvas.engine.image_sets import ImageSet
from unlearncanvas.engine.job import Job
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.publish.submissions.bundle import (
    MANIFEST,
    VERIFIED,
    Verification,
    evidence_digest,
)
from unlearncanvas.publish.submissions.contents import Contents, contents_of, target_of
from unlearncanvas.publish.submissions.models import Models, check_models
from unlearncanvas.publish.submissions.submitted import Compared, Submitted

SHARE, AT_LEAST = 0.05, 100
"""How much is drawn again by default."""
SAME_PREDICTIONS = 95.0
"""Percent that must be predicted alike: other hardware rounds otherwise, and a name may flip."""
DISTANCE = 0.04
"""Mean distance of the small pictures, of 1; compression alone gives 0.015 on the mini canvas."""


class Choice(NamedTuple):
    """An image to draw again: a job, one of its image sets, and one image of that."""

    job: Job
    image_set: ImageSet
    request: Request


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """Who verifies, how and where.

    Attributes:
        by: Name that is put under it.
        seed: Chooses what is drawn again; those who submit do not know it.
        images: How many; None for 5 percent and at least 100.
        device: Where to draw.
        model: Base model; None for the protocol's.
        protocol: File of the protocol, for one that is not of this package.
        sources: Where the detectors are.
        trust_code: Whether to import a method that is not of this package.
        on_batch: Called with the number of images after every batch.
    """

    by: str
    seed: int
    images: int | None
    device: str
    model: str | None = None
    protocol: str | None = None
    sources: Sources = SHIPPED
    trust_code: bool = False
    on_batch: Callable[[int], None] = lambda _: None

    def opened(self, folder: Path) -> Contents:
        """Return the contents of a bundle that was validated."""
        return contents_of(
            folder, self.sources, protocol=self.protocol, device=self.device, model=self.model
        )

    def choices(self, contents: Contents) -> list[Choice]:
        """Return which images are drawn again, chosen without a look at the results."""
        everything = [
            Choice(job, image_set, request)
            for job in contents.jobs
            for image_set in job.image_sets
            for request in image_set.requests(image_set.seeds)
        ]
        wanted = max(AT_LEAST, round(SHARE * len(everything)))
        if self.images is not None:
            wanted = self.images
        rng = np.random.default_rng(self.seed)
        rows = rng.choice(len(everything), size=min(wanted, len(everything)), replace=False)
        return [everything[row] for row in sorted(rows.tolist())]

    def verify(self, contents: Contents) -> Verification:
        """Return what was found; the bundle must have been validated.

        Raises:
            ValueError: If its models can neither be read nor made again, or may not be.
        """
        check_models(contents, trust_code=self.trust_code)
        choices = self.choices(contents)
        found: list[Compared] = []
        with TemporaryDirectory() as made:
            models = Models(contents, Path(made))
            models.check_base()
            for job in contents.jobs:
                chosen = [choice for choice in choices if choice.job is job]
                if chosen:
                    found += self._compare(contents, models, job, chosen)
        share = float(np.mean([item.predictions for item in found]))
        interval = wilson(share, len(found))
        distances = [item.distance for item in found if item.distance is not None]
        distance = float(np.mean(distances)) if distances else None
        again = [job for job in contents.tested if any(choice.job is job for choice in choices)]
        return Verification(
            by=self.by,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            manifest_digest=digest_file(contents.folder / MANIFEST),
            evidence_digest=evidence_digest(contents.manifest),
            erased_again=tuple(
                target_of(job) for job in again if not contents.has_tensors(contents.place(job))
            ),
            seed=self.seed,
            images=len(found),
            same_pixels=100 * float(np.mean([item.pixels for item in found])),
            same_predictions=100 * share,
            low=100 * interval.low,
            high=100 * interval.high,
            distance=distance,
            passed=100 * share >= SAME_PREDICTIONS and (distance is None or distance <= DISTANCE),
        )

    def _compare(
        self, contents: Contents, models: Models, job: Job, chosen: Sequence[Choice]
    ) -> Iterator[Compared]:
        """Draw the chosen images of a job, set by set, and compare each with the submitted one."""
        submitted = Submitted(contents, job)
        with models.lend(job) as pipe:
            for image_set in job.image_sets:
                requests = [item.request for item in chosen if item.image_set is image_set]
                if not requests:
                    continue
                images = draw_all(pipe, requests, image_set.sampler, on_batch=self.on_batch)
                rows = detected_table(requests, images, contents.detectors).to_pylist()
                for request, row, image in zip(requests, rows, images, strict=True):
                    yield submitted.compared(image_set.name, request, row, image)


def write_verification(folder: Path, found: Verification) -> Path:
    """Write ``verified.json`` into the bundle and return its path."""
    path = folder / VERIFIED
    write_text(path, found.model_dump_json(indent=2) + "\n")
    return path
