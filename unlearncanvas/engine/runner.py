"""Run an evaluation: make its models, draw its image sets, score; what is done already is kept."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from metrics.per_image import PerImage
from unlearncanvas.canvases.detectors import Detectors
from unlearncanvas.engine.base_check import check_base
from unlearncanvas.engine.callbacks import Callback
from unlearncanvas.engine.chunks import ChunkMetadata
from unlearncanvas.engine.drawing import Drawer, Unit
from unlearncanvas.engine.environment import environment
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.job import Job, Scored
from unlearncanvas.engine.model_store import ModelStore
from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.engine.rows import compared, relative, row_of
from unlearncanvas.engine.scoring import Drawn, DrawnSet, Scoring
from unlearncanvas.engine.shards import Shard
from unlearncanvas.engine.work import DrawTask, built_on, by_model, tasks_of, tasks_of_job
from unlearncanvas.pipelines.artifacts import Artifact, drop_tensors
from unlearncanvas.pipelines.ufe import Counted
from unlearncanvas.results.schema import Picture, Results, Row, write_results

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Runner:
    """One run of an evaluation in this process, see :func:`opened`.

    Attributes:
        evaluation: What is done.
        callback: Called at every step.
        store: The models.
        drawer: Draws chunks.
        detectors: What is run on the images.
        scoring: What the evaluation scores with.
    """

    evaluation: Evaluation
    callback: Callback
    store: ModelStore
    drawer: Drawer
    detectors: Detectors
    scoring: Scoring = field(init=False)
    _artifacts: dict[str, Artifact] = field(default_factory=dict)
    _drawn: dict[str, ChunkMetadata] = field(default_factory=dict)

    def run(self) -> Results:
        """Do what is missing, write ``results.json``, return the results."""
        evaluation, jobs = self.evaluation, self.evaluation.jobs()
        rows: list[Row] = []
        values: list[tuple[Row, dict[str, PerImage]]] = []
        for place, job in enumerate(jobs):
            tasks = tasks_of_job(evaluation, job)
            self.draw([task for task in tasks if task.key not in self._drawn])
            if job.is_base and not evaluation.skip_base_check:
                self._check_base(job)
            scored = evaluation.score(job, self.scoring)
            row = self._row(job, scored, tasks)
            rows.append(row)
            if job.role == "tested":
                values.append((row, dict(scored.per_image)))
            self._drop(jobs, place)
        results = Results(
            evaluation=evaluation.kind,
            protocol=evaluation.name,
            protocol_digest=evaluation.digest,
            tier=evaluation.tier,
            subset=evaluation.subset,
            seeds=evaluation.seeds,
            model=evaluation.model,
            base_digest=self.store.base_digest,
            rows=tuple(rows),
            means=evaluation.means(rows),
            comparisons=tuple(compared(values)),
            real_vs_real=evaluation.real_vs_real(self.scoring),
            notes=evaluation.notes(rows, self.scoring),
            pictures=tuple(
                Picture(
                    path=relative(figure.path, evaluation.run_folder()),
                    name=figure.name,
                    label=figure.label,
                    group=dict(figure.group),
                )
                for figure in evaluation.figures(rows, self.scoring)
            ),
            environment=environment(evaluation.device),
            published=evaluation.published,
            config=dict(evaluation.config) or None,
        )
        write_results(evaluation.run_folder(), results)
        return results.model_copy(update={"folder": evaluation.run_folder()})

    def run_shard(self, shard: Shard) -> int:
        """Make and draw what is missing of a part; return how many chunks are in it.

        Other processes may do theirs at the same time, or the same: each chunk and each artifact
        has a lock.
        """
        mine = shard.of(tasks_of(self.evaluation))
        for tasks in by_model(mine):
            self.draw(tasks)
        return len(mine)

    def draw(self, tasks: Sequence[DrawTask]) -> None:
        """Make one model and draw chunks with it: what is missing of both."""
        if not tasks:
            return
        first = tasks[0]
        self.callback.erasing(first.label, first.what)
        if first.recipe.steps and not self.found(first.recipe, tasks, builds=False):
            self.make(first.recipe)
        units = {task.key: self.unit(task) for task in tasks}
        found = {key: self.drawer.finished(unit) for key, unit in units.items()}
        there = [metadata for metadata in found.values() if metadata is not None]
        self.callback.reused(sum(metadata.num_images for metadata in there))
        if len(there) < len(units):
            with self.store.lend(first.recipe) as lent:
                for key, unit in units.items():
                    if found[key] is None:
                        self.callback.drawing(f"{first.label} {first.what} seed {unit.seeds[0]}")
                        found[key] = self._draw(lent, unit)
        self._drawn |= {key: metadata for key, metadata in found.items() if metadata is not None}

    def make(self, recipe: Recipe) -> Artifact:
        """Return the artifact of a recipe's last step; what is missing of the recipe is made."""
        folder = self.evaluation.folder_of(recipe)
        self._artifacts[folder] = self.store.artifact(recipe)
        return self._artifacts[folder]

    def unit(self, task: DrawTask) -> Unit:
        """Return the place of a chunk; the model that it is drawn with is stored or recorded."""
        key = self.store.base_digest
        if task.recipe.steps:
            artifact = self.artifact_of(task.recipe)
            key = f"{artifact.digest} {artifact.tensors_digest}"
        place = self.evaluation.root / task.folder
        return self.drawer.unit(task.image_set, task.seeds, place, key)

    def artifact_of(self, recipe: Recipe) -> Artifact:
        """Return what made a recipe's last step.

        Raises:
            ValueError: If it is not stored.
        """
        folder = self.evaluation.folder_of(recipe)
        if folder not in self._artifacts:
            found = self.store.recorded(recipe)
            if found is None:
                raise ValueError(f"{self.evaluation.root / folder} holds no artifact of {recipe}")
            self._artifacts[folder] = found
        return self._artifacts[folder]

    def found(self, recipe: Recipe, tasks: Sequence[DrawTask], *, builds: bool) -> bool:
        """Whether a model need not be made.

        Args:
            recipe: The model.
            tasks: What is to be drawn with it; if all is drawn, its tensors may be gone.
            builds: Whether other models build on it, or it has to be whole for another reason.
        """
        artifact = self.store.stored(recipe) if builds else self.store.recorded(recipe)
        if artifact is None:
            return False
        self._artifacts[self.evaluation.folder_of(recipe)] = artifact
        return builds or not self.store.dropped(recipe) or not self.missing(tasks)

    def missing(self, tasks: Sequence[DrawTask]) -> list[DrawTask]:
        """Return the chunks of a stored model that are still to be drawn."""
        return [task for task in tasks if self.drawer.finished(self.unit(task)) is None]

    def _draw(self, lent: Counted, unit: Unit) -> ChunkMetadata:
        """Draw a chunk, unless another process did while this one waited for its lock."""
        with unit.chunk.lock():
            there = self.drawer.finished(unit)
            if there is not None:
                self.callback.reused(there.num_images)
                return there
            if unit.chunk.damaged():
                _log.warning("%s is damaged; drawing it again", unit.chunk.path)
            return self.drawer.draw(lent, unit)

    def find(self, job: Job) -> Drawn:
        """Return what was drawn for a job."""
        drawn: dict[str, list[Unit]] = {}
        for task in tasks_of_job(self.evaluation, job):
            drawn.setdefault(task.image_set.name, []).append(self.unit(task))
        return {name: DrawnSet(units) for name, units in drawn.items()}

    def _row(self, job: Job, scored: Scored, tasks: Sequence[DrawTask]) -> Row:
        """The row of a job, with paths relative to the results."""
        start, edited = self.evaluation.run_folder(), bool(job.recipe.steps)
        place = self.evaluation.root / self.evaluation.folder_of(job.recipe)
        return row_of(
            job,
            scored,
            [self._drawn[task.key] for task in tasks],
            artifact=self.artifact_of(job.recipe) if edited else None,
            folder=relative(place, start) if edited else None,
            chunks=[relative(self.unit(task).chunk.path, start) for task in tasks],
        )

    def _check_base(self, job: Job) -> None:
        """Refuse a base model that the detectors do not recognize."""
        drawn = self.scoring.drawn(job)[job.image_sets[0].name]
        wanted = self.detectors.base_accuracy
        check_base(drawn.predictions, model=self.evaluation.model, wanted=wanted)

    def _drop(self, jobs: Sequence[Job], place: int) -> None:
        """Delete the tensors of a job's model that no later job needs, if the user wants that."""
        evaluation, recipe = self.evaluation, jobs[place].recipe
        if evaluation.artifacts != "dropped" or not recipe.steps:
            return
        folder = evaluation.folder_of(recipe)
        needed = {evaluation.folder_of(job.recipe) for job in jobs[place + 1 :]}
        if folder not in needed | built_on(evaluation, jobs):
            drop_tensors(evaluation.root / folder)
