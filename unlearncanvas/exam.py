"""The exam: erase, draw, detect and score every job of a plan; what is done already is kept."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as Interface

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from metrics.share import accuracy
from unlearncanvas.base_model import load_base
from unlearncanvas.chunks import Chunk, Seal, to_answers
from unlearncanvas.drawing import ChunkDrawer
from unlearncanvas.erasing import Workbench
from unlearncanvas.eyes import open_eyes
from unlearncanvas.models import Artefact, base_digest
from unlearncanvas.plan import BASELINES, Job, Plan
from unlearncanvas.protocol_parts import PaintedSplit
from unlearncanvas.reference import ReferenceRoom
from unlearncanvas.results import Row, RunResults, environment, write_result, write_results
from unlearncanvas.score import (
    concept_accuracy,
    floors,
    mean_scores,
    target_scores,
)
from unlearncanvas.studio import Studio
from unlearncanvas.types import Answers, Domain, Result, Score

_log = logging.getLogger(__name__)


class Listener(Interface):
    """Who is told how far the exam is."""

    def erasing(self, label: str) -> None:
        """An erasure starts."""

    def drawing(self, label: str) -> None:
        """A chunk starts."""

    def drawn(self, count: int) -> None:
        """So many images of a chunk are there."""

    def reused(self, count: int) -> None:
        """So many images were there already."""


@dataclass(kw_only=True)
class Exam:
    """One run of a plan."""

    plan: Plan
    listener: Listener

    def __post_init__(self) -> None:
        """Load the base model and the detectors, and check that they belong together.

        Raises:
            ValueError: If the model cannot be loaded or the detectors were not made for it.
        """
        plan, protocol = self.plan, self.plan.protocol
        self._files: list[Path] = []
        self.done: list[tuple[Job, Artefact]] = []
        pipe = load_base(plan.model, device=plan.device)
        self.base_digest = base_digest(pipe)
        self.eyes = open_eyes(protocol, plan.device, plan.sources)
        self.eyes.accept(plan.model, self.base_digest)
        self._real = self._open_reference()
        self._workbench = Workbench.of(
            protocol,
            self._load,
            base=plan.model,
            base_digest=self.base_digest,
            cache_dir=plan.out / protocol.name / "gallery",
            sources=plan.sources,
        )
        self._studio = Studio(self._load, getattr(torch, protocol.sampler.dtype))
        self._drawer = ChunkDrawer(
            protocol=protocol,
            eyes=self.eyes,
            device=plan.device,
            keep_images=plan.keep_images,
            on_batch=self.listener.drawn,
        )

    def _load(self) -> StableDiffusionPipeline:
        return load_base(self.plan.model, device=self.plan.device)

    def _open_reference(self) -> ReferenceRoom | None:
        """Where features of real images come from; None, with a line that says so, if nowhere."""
        plan, part = self.plan, self.plan.protocol.reference
        try:
            source = plan.sources.real_images(part)
        except ValueError as exc:
            _log.warning("FID and KID are left out: %s", exc)
            return None
        painted = isinstance(part, PaintedSplit)  # painting is faster than a cache is worth
        cache_dir = None if painted else plan.out / plan.protocol.name / "reference"
        return ReferenceRoom(
            protocol=plan.protocol, source=source, eyes=self.eyes, cache_dir=cache_dir
        )

    def _floors(self) -> dict[str, Score]:
        if self._real is None:
            return {}
        return floors(self.plan.protocol, self._real, len(self.plan.seeds))

    def _check_base(self, answers: Answers) -> None:
        """Refuse a base model whose own images the detectors do not recognise.

        Raises:
            ValueError: If so, unless the plan takes any base model.
        """
        wanted = self.eyes.base_accuracy
        domains: tuple[Domain, ...] = ("style", "object")
        for domain in domains:
            found = accuracy(answers, domain).value
            if found < wanted and not self.plan.any_base:
                raise ValueError(
                    f"the {domain} detector recognises {found:.1f} % of what {self.plan.model!r} "
                    f"draws before anything is erased, {wanted:.0f} % are needed: it was not made "
                    "for this base model (plain Stable Diffusion gives about 11 %). Use the "
                    "checkpoints fine-tuned on UnlearnCanvas, or --any-base to go on all the same"
                )

    def run(self) -> RunResults:
        """Do what is missing, write every result file, return the run's results."""
        results = [result for job in self.plan.jobs() for result in self._job(job)]
        return self._summary(results)

    def _job(self, job: Job) -> Iterator[Result]:
        label = f"{job.eraser.name} {', '.join(map(str, job.task.targets))}"
        self.listener.erasing(label)
        artefact = self._workbench.artefact(job.eraser, job.task, job.folder)
        seals = self._draw(job, artefact, label)
        chunks = [self.chunk(artefact, job, seed) for seed in self.plan.seeds]
        answers = to_answers([chunk.read() for chunk in chunks])
        if job.eraser.name == "none":
            self._check_base(answers)
        reference = None if self._real is None else self._real.real(len(self.plan.seeds))
        concepts = concept_accuracy(self.plan.protocol, answers)
        num_images = sum(seal.num_images for seal in seals)
        for target in job.targets:
            result = Result(
                eraser=job.eraser.name,
                settings=job.eraser.settings,
                target=str(target),
                erase_seed=job.task.seed,
                protocol=self.plan.protocol.name,
                protocol_digest=self.plan.whole.digest,
                artefact_digest=artefact.digest,
                seeds=self.plan.seeds,
                limited=set(self.plan.seeds) != set(self.plan.protocol.seeds),
                num_images=num_images,
                scores=target_scores(self.plan.protocol, answers, target, reference),
                concept_accuracy=concepts,
                cost=artefact.cost,
                seconds_per_image=sum(seal.seconds for seal in seals) / num_images,
                environment=environment(self.plan.device),
            )
            folder = self.plan.result_folder(job, target)
            folder.mkdir(parents=True, exist_ok=True)
            self._files.append(write_result(folder, result))
            yield result
        self.done.append((job, artefact))

    def chunk(self, artefact: Artefact, job: Job, seed: int) -> Chunk:
        """Return the place of one chunk of a job."""
        return self._drawer.chunk(artefact, job.folder, seed)

    def base_pipeline(self) -> StableDiffusionPipeline:
        """Return the base model in drawing precision."""
        return self._load().to(getattr(torch, self.plan.protocol.sampler.dtype))

    def _draw(self, job: Job, artefact: Artefact, label: str) -> list[Seal]:
        """Return the seals of all chunks of a job; draws those that are missing."""
        chunks = [self.chunk(artefact, job, seed) for seed in self.plan.seeds]
        seals = {chunk.seed: self._drawer.finished(chunk) for chunk in chunks}
        self.listener.reused(sum(seal.num_images for seal in seals.values() if seal))
        missing = [chunk for chunk in chunks if seals[chunk.seed] is None]
        if missing:
            with self._studio.erased(job.folder) as pipe:
                for chunk in missing:
                    self.listener.drawing(f"{label} seed {chunk.seed}")
                    with chunk.lock():
                        seal = self._drawer.finished(chunk)
                        if seal is None:
                            if chunk.damaged():
                                _log.warning("%s is damaged; drawing it again", chunk.path)
                            seal = self._drawer.draw(pipe, chunk)
                        else:  # another run drew it while we waited for the lock
                            self.listener.reused(seal.num_images)
                    seals[chunk.seed] = seal
        return [seal for seal in seals.values() if seal is not None]

    def _summary(self, results: list[Result]) -> RunResults:
        """Average over targets, per eraser and kind, and write ``results.json``."""
        groups: dict[tuple[str, str], list[Result]] = defaultdict(list)
        many = len(self.plan.erase_seeds) > 1
        for result in results:
            seeded = many and result.eraser not in BASELINES
            label = f"{result.eraser} seed {result.erase_seed}" if seeded else result.eraser
            groups[label, result.target.partition(":")[0]].append(result)
        rows = [_row(label, kind, group) for (label, kind), group in groups.items()]
        summary = RunResults(
            protocol=self.plan.protocol.name,
            protocol_digest=self.plan.whole.digest,
            tier=self.plan.tier,
            limited=self.plan.limited,
            seeds=self.plan.seeds,
            model=self.plan.model,
            base_digest=self.base_digest,
            rows=tuple(rows),
            floors=self._floors(),
            results=tuple(str(path.relative_to(self.plan.out)) for path in self._files),
            environment=environment(self.plan.device),
        )
        write_results(self.plan.run_folder(), summary)
        return summary


def _row(label: str, kind: str, results: list[Result]) -> Row:
    costs = [result.cost for result in results]
    peaks = [cost.peak_memory_bytes for cost in costs if cost.peak_memory_bytes is not None]
    return Row(
        label=label,
        kind="style" if kind == "style" else "object",
        targets=tuple(result.target for result in results),
        scores=mean_scores([result.scores for result in results]),
        ufe=float(np.mean([cost.ufe for cost in costs])),
        gallery_ufe=float(np.mean([cost.gallery_ufe for cost in costs])),
        erase_seconds=float(np.mean([cost.seconds for cost in costs])),
        stored_bytes=float(np.mean([cost.stored_bytes for cost in costs])),
        peak_memory_bytes=max(peaks, default=None),
        seconds_per_image=float(np.mean([result.seconds_per_image for result in results])),
    )
