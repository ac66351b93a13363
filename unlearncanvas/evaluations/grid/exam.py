"""The exam: erase, draw, detect and score every job of a plan; what is done already is kept."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from diffusers import StableDiffusionPipeline

from metrics.base import Score
from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.engine.base_check import check_base
from unlearncanvas.engine.callbacks import Callback
from unlearncanvas.engine.chunks import Chunk, ChunkMetadata, to_predictions, ufe_per_image
from unlearncanvas.engine.drawing import ChunkDrawer
from unlearncanvas.engine.environment import environment
from unlearncanvas.engine.erasing import Workbench
from unlearncanvas.engine.reference_features import open_reference
from unlearncanvas.engine.shards import Shard
from unlearncanvas.engine.studio import Studio
from unlearncanvas.evaluations.grid.plan import Job, Plan
from unlearncanvas.evaluations.grid.scores import (
    concept_accuracy,
    floors,
    target_scores,
)
from unlearncanvas.pipelines.artifacts import Artifact, base_digest, drop_tensors
from unlearncanvas.pipelines.base_model import load_base
from unlearncanvas.pipelines.optimizations import prepare_pipeline
from unlearncanvas.results.aggregate import mean_rows
from unlearncanvas.results.schema import (
    Result,
    RunResults,
    relative,
    write_result,
    write_results,
)

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Exam:
    """One run of a plan."""

    plan: Plan
    callback: Callback

    def __post_init__(self) -> None:
        """Load the base model and the detectors, and check that they belong together.

        Raises:
            ValueError: If the model cannot be loaded or the detectors were not made for it.
        """
        plan, protocol = self.plan, self.plan.protocol
        self._files: list[Path] = []
        self.done: list[tuple[Job, Artifact]] = []
        pipe = load_base(plan.model, device=plan.device)
        self.base_digest = base_digest(pipe)
        self.detectors = load_detectors(
            protocol.detectors, protocol.extractors(), device=plan.device, sources=plan.sources
        )
        if not plan.skip_base_check:
            self.detectors.accept(plan.model, self.base_digest)
        self._real = open_reference(
            protocol, self.detectors, plan.sources, plan.out / protocol.name / "reference"
        )
        self._workbench = Workbench.of(
            protocol,
            self._load,
            base=plan.model,
            base_digest=self.base_digest,
            cache_dir=plan.out / protocol.name / "gallery",
            sources=plan.sources,
            half=plan.artifacts == "half",
            on_loss=self.callback.loss,
        )
        self._studio = Studio(self._load, protocol.sampler)
        self._drawer = ChunkDrawer(
            protocol=protocol,
            detectors=self.detectors,
            device=plan.device,
            keep_images=plan.keep_images,
            on_batch=self.callback.drawn,
        )

    def _load(self) -> StableDiffusionPipeline:
        return load_base(self.plan.model, device=self.plan.device)

    def _floors(self) -> dict[str, Score]:
        if self._real is None:
            return {}
        return floors(self.plan.protocol, self._real, len(self.plan.seeds))

    def draw_shard(self, share: Shard) -> int:
        """Erase and draw what is missing of a part; return how many chunks are in it.

        Other processes may do theirs at the same time, or the same: each chunk and each artifact
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
        artifact, _ = self._made(job, seeds)
        return [self.chunk(artifact, job, seed) for seed in seeds]

    def stored(self, job: Job) -> Artifact | None:
        """Return a job's artifact if it is there, or all that was to be drawn with it is."""
        drawn = self._all_drawn(job, self.plan.seeds)
        return drawn or self._workbench.stored(job.eraser, job.task, job.folder)

    def missing(self, job: Job, artifact: Artifact) -> list[int]:
        """Return the seeds at which a stored artifact is still to be drawn."""
        return [
            seed
            for seed in self.plan.seeds
            if self._drawer.finished(self.chunk(artifact, job, seed)) is None
        ]

    def run(self) -> RunResults:
        """Do what is missing, write every result file, return the run's results."""
        results = [result for job in self.plan.jobs() for result in self._job(job)]
        return self._summary(results)

    def _job(self, job: Job) -> Iterator[Result]:
        artifact, records = self._made(job, self.plan.seeds)
        chunks = [self.chunk(artifact, job, seed) for seed in self.plan.seeds]
        predictions = to_predictions([chunk.read() for chunk in chunks])
        if job.eraser.name == "none" and not self.plan.skip_base_check:
            check_base(predictions, model=self.plan.model, wanted=self.detectors.base_accuracy)
        real = None if self._real is None else self._real.real(len(self.plan.seeds))
        concepts = concept_accuracy(self.plan.protocol, predictions)
        num_images = sum(metadata.num_images for metadata in records)
        for target in job.targets:
            folder = self.plan.result_folder(job, target)
            result = Result(
                eraser=job.eraser.name,
                settings=job.eraser.settings,
                target=str(target),
                erase_seed=job.task.seed,
                protocol=self.plan.protocol.name,
                protocol_digest=self.plan.whole.digest,
                artifact_digest=artifact.digest,
                artifact=relative(job.folder, folder),
                chunks=tuple(relative(chunk.path, folder) for chunk in chunks),
                seeds=self.plan.seeds,
                limited=self.plan.limited_grid,
                num_images=num_images,
                scores=target_scores(self.plan.protocol, predictions, target, real),
                concept_accuracy=concepts,
                cost=artifact.cost,
                seconds_per_image=sum(metadata.seconds for metadata in records) / num_images,
                ufe_per_image=ufe_per_image(records),
                environment=environment(self.plan.device),
            )
            folder.mkdir(parents=True, exist_ok=True)
            self._files.append(write_result(folder, result))
            yield result
        if self.plan.artifacts == "dropped":
            drop_tensors(job.folder)
        self.done.append((job, artifact))

    def chunk(self, artifact: Artifact, job: Job, seed: int) -> Chunk:
        """Return the place of one chunk of a job."""
        return self._drawer.chunk(artifact, job.folder, seed)

    def base_pipeline(self) -> StableDiffusionPipeline:
        """Return the base model, ready to draw."""
        return prepare_pipeline(self._load(), self.plan.protocol.sampler)

    def _made(self, job: Job, seeds: Sequence[int]) -> tuple[Artifact, list[ChunkMetadata]]:
        """Return a job's artifact and its chunks' metadata, made now where they are missing."""
        what = ", ".join(map(str, job.task.targets))
        label = f"{job.eraser.name} {what}"
        self.callback.erasing(self.plan.label(job.eraser, job.task.seed), what)
        artifact = self._all_drawn(job, seeds)
        if artifact is None:
            artifact = self._workbench.artifact(job.eraser, job.task, job.folder)
        return artifact, self._draw(job, artifact, label, seeds)

    def _all_drawn(self, job: Job, seeds: Sequence[int]) -> Artifact | None:
        """Return a job's artifact if nothing is left to draw with it: its tensors may be gone."""
        artifact = self._workbench.recorded(job.eraser, job.task, job.folder)
        if artifact is None or set(seeds) & set(self.missing(job, artifact)):
            return None
        return artifact

    def _draw(
        self, job: Job, artifact: Artifact, label: str, seeds: Sequence[int]
    ) -> list[ChunkMetadata]:
        """Return the metadata of chunks of a job; draws those that are missing."""
        chunks = [self.chunk(artifact, job, seed) for seed in seeds]
        records = {chunk.seed: self._drawer.finished(chunk) for chunk in chunks}
        self.callback.reused(sum(metadata.num_images for metadata in records.values() if metadata))
        missing = [chunk for chunk in chunks if records[chunk.seed] is None]
        if missing:
            with self._studio.erased(job.folder) as lent:
                for chunk in missing:
                    self.callback.drawing(f"{label} seed {chunk.seed}")
                    with chunk.lock():
                        metadata = self._drawer.finished(chunk)
                        if metadata is None:
                            if chunk.damaged():
                                _log.warning("%s is damaged; drawing it again", chunk.path)
                            metadata = self._drawer.draw(lent, chunk, artifact)
                        else:  # another run drew it while we waited for the lock
                            self.callback.reused(metadata.num_images)
                    records[chunk.seed] = metadata
        return [metadata for metadata in records.values() if metadata is not None]

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
            config=self.plan.config,
        )
        write_results(self.plan.run_folder(), summary)
        return summary
