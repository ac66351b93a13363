"""The exam: erase, draw, detect and score every job of a plan; what is done already is kept."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from diffusers import StableDiffusionPipeline

from unlearncanvas.base_model import load_base
from unlearncanvas.chunks import Chunk, Seal, to_answers, ufe_per_image
from unlearncanvas.drawing import ChunkDrawer
from unlearncanvas.erasing import Workbench
from unlearncanvas.eyes import open_eyes
from unlearncanvas.listener import Listener
from unlearncanvas.models import Artefact, base_digest, drop_tensors
from unlearncanvas.plan import Job, Plan
from unlearncanvas.reference import open_reference
from unlearncanvas.results import (
    Asked,
    RunResults,
    drawing_asked,
    environment,
    relative,
    write_result,
    write_results,
)
from unlearncanvas.score import (
    check_base,
    concept_accuracy,
    floors,
    target_scores,
)
from unlearncanvas.share import Share
from unlearncanvas.studio import Studio
from unlearncanvas.summary import mean_rows
from unlearncanvas.tuning import tuned
from unlearncanvas.types import Result, Score

_log = logging.getLogger(__name__)


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
        if not plan.any_base:
            self.eyes.accept(plan.model, self.base_digest)
        self._real = open_reference(
            protocol, self.eyes, plan.sources, plan.out / protocol.name / "reference"
        )
        self._workbench = Workbench.of(
            protocol,
            self._load,
            base=plan.model,
            base_digest=self.base_digest,
            cache_dir=plan.out / protocol.name / "gallery",
            sources=plan.sources,
            half=plan.artefacts == "half",
            on_loss=self.listener.loss,
        )
        self._studio = Studio(self._load, protocol.sampler)
        self._drawer = ChunkDrawer(
            protocol=protocol,
            eyes=self.eyes,
            device=plan.device,
            keep_images=plan.keep_images,
            on_batch=self.listener.drawn,
        )

    def _load(self) -> StableDiffusionPipeline:
        return load_base(self.plan.model, device=self.plan.device)

    def _floors(self) -> dict[str, Score]:
        if self._real is None:
            return {}
        return floors(self.plan.protocol, self._real, len(self.plan.seeds))

    def draw_share(self, share: Share) -> int:
        """Erase and draw what is missing of a part; return how many chunks are in it.

        Other processes may do theirs at the same time, or the same: each chunk and each artefact
        has a lock.
        """
        tasks = [(job, seed) for job in self.plan.jobs() for seed in self.plan.seeds]
        mine = share.of(tasks)
        for _, group in groupby(mine, key=lambda task: task[0].folder):
            jobs, seeds = zip(*group, strict=True)
            self.draw_seeds(jobs[0], seeds)
        return len(mine)

    def draw_seeds(self, job: Job, seeds: Sequence[int]) -> list[Chunk]:
        """Erase and draw what is missing of a job at some seeds; return their chunks."""
        artefact, _ = self._made(job, seeds)
        return [self.chunk(artefact, job, seed) for seed in seeds]

    def stored(self, job: Job) -> Artefact | None:
        """Return a job's artefact if it is there, or all that was to be drawn with it is."""
        drawn = self._all_drawn(job, self.plan.seeds)
        return drawn or self._workbench.stored(job.eraser, job.task, job.folder)

    def missing(self, job: Job, artefact: Artefact) -> list[int]:
        """Return the seeds at which a stored artefact is still to be drawn."""
        return [
            seed
            for seed in self.plan.seeds
            if self._drawer.finished(self.chunk(artefact, job, seed)) is None
        ]

    def run(self) -> RunResults:
        """Do what is missing, write every result file, return the run's results."""
        results = [result for job in self.plan.jobs() for result in self._job(job)]
        return self._summary(results)

    def _job(self, job: Job) -> Iterator[Result]:
        artefact, seals = self._made(job, self.plan.seeds)
        chunks = [self.chunk(artefact, job, seed) for seed in self.plan.seeds]
        answers = to_answers([chunk.read() for chunk in chunks])
        if job.eraser.name == "none" and not self.plan.any_base:
            check_base(answers, model=self.plan.model, wanted=self.eyes.base_accuracy)
        real = None if self._real is None else self._real.real(len(self.plan.seeds))
        concepts = concept_accuracy(self.plan.protocol, answers)
        num_images = sum(seal.num_images for seal in seals)
        for target in job.targets:
            folder = self.plan.result_folder(job, target)
            result = Result(
                eraser=job.eraser.name,
                settings=job.eraser.settings,
                target=str(target),
                erase_seed=job.task.seed,
                protocol=self.plan.protocol.name,
                protocol_digest=self.plan.whole.digest,
                artefact_digest=artefact.digest,
                artifact=relative(job.folder, folder),
                chunks=tuple(relative(chunk.path, folder) for chunk in chunks),
                seeds=self.plan.seeds,
                limited=self.plan.limited_grid,
                num_images=num_images,
                scores=target_scores(self.plan.protocol, answers, target, real),
                concept_accuracy=concepts,
                cost=artefact.cost,
                seconds_per_image=sum(seal.seconds for seal in seals) / num_images,
                ufe_per_image=ufe_per_image(seals),
                environment=environment(self.plan.device),
            )
            folder.mkdir(parents=True, exist_ok=True)
            self._files.append(write_result(folder, result))
            yield result
        if self.plan.artefacts == "dropped":
            drop_tensors(job.folder)
        self.done.append((job, artefact))

    def chunk(self, artefact: Artefact, job: Job, seed: int) -> Chunk:
        """Return the place of one chunk of a job."""
        return self._drawer.chunk(artefact, job.folder, seed)

    def base_pipeline(self) -> StableDiffusionPipeline:
        """Return the base model, ready to draw."""
        return tuned(self._load(), self.plan.protocol.sampler)

    def _made(self, job: Job, seeds: Sequence[int]) -> tuple[Artefact, list[Seal]]:
        """Return a job's artefact and the seals of its chunks, made now where they are missing."""
        what = ", ".join(map(str, job.task.targets))
        label = f"{job.eraser.name} {what}"
        self.listener.erasing(self.plan.label(job.eraser, job.task.seed), what)
        artefact = self._all_drawn(job, seeds)
        if artefact is None:
            artefact = self._workbench.artefact(job.eraser, job.task, job.folder)
        return artefact, self._draw(job, artefact, label, seeds)

    def _all_drawn(self, job: Job, seeds: Sequence[int]) -> Artefact | None:
        """Return a job's artefact if nothing is left to draw with it: its tensors may be gone."""
        artefact = self._workbench.recorded(job.eraser, job.task, job.folder)
        if artefact is None or set(seeds) & set(self.missing(job, artefact)):
            return None
        return artefact

    def _draw(self, job: Job, artefact: Artefact, label: str, seeds: Sequence[int]) -> list[Seal]:
        """Return the seals of chunks of a job; draws those that are missing."""
        chunks = [self.chunk(artefact, job, seed) for seed in seeds]
        seals = {chunk.seed: self._drawer.finished(chunk) for chunk in chunks}
        self.listener.reused(sum(seal.num_images for seal in seals.values() if seal))
        missing = [chunk for chunk in chunks if seals[chunk.seed] is None]
        if missing:
            with self._studio.erased(job.folder) as lent:
                for chunk in missing:
                    self.listener.drawing(f"{label} seed {chunk.seed}")
                    with chunk.lock():
                        seal = self._drawer.finished(chunk)
                        if seal is None:
                            if chunk.damaged():
                                _log.warning("%s is damaged; drawing it again", chunk.path)
                            seal = self._drawer.draw(lent, chunk, artefact)
                        else:  # another run drew it while we waited for the lock
                            self.listener.reused(seal.num_images)
                    seals[chunk.seed] = seal
        return [seal for seal in seals.values() if seal is not None]

    def _summary(self, results: list[Result]) -> RunResults:
        """Average over targets, per eraser and kind, and write ``results.json``."""
        summary = RunResults(
            protocol=self.plan.protocol.name,
            protocol_digest=self.plan.whole.digest,
            tier=self.plan.tier,
            limited=self.plan.limited,
            seeds=self.plan.seeds,
            model=self.plan.model,
            base_digest=self.base_digest,
            rows=mean_rows(results, name_seeds=len(self.plan.erase_seeds) > 1),
            floors=self._floors(),
            results=tuple(str(path.relative_to(self.plan.out)) for path in self._files),
            root=relative(self.plan.out, self.plan.run_folder()),
            environment=environment(self.plan.device),
            published=self.plan.protocol.published,
            asked=Asked(
                tier=self.plan.part,
                erase_seeds=self.plan.erase_seeds,
                artefacts=self.plan.artefacts,
                any_base=self.plan.any_base,
                **drawing_asked(self.plan.protocol.sampler, self.plan.erasers),
            ),
        )
        write_results(self.plan.run_folder(), summary)
        return summary
