"""The work of an evaluation, chunk by chunk, before any model is made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from unlearncanvas.core.digests import digest_json
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.image_sets import ImageSet
from unlearncanvas.engine.job import Job
from unlearncanvas.engine.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class DrawTask:
    """One chunk to draw: the unit of work, of resume and of shards.

    Attributes:
        label: Label of the first row that needs it.
        what: Group of that row, as text.
        recipe: The model.
        folder: Relative folder of its artifact.
        image_set: What is drawn.
        seeds: Seeds of the chunk.
    """

    label: str
    what: str
    recipe: Recipe
    folder: str
    image_set: ImageSet
    seeds: tuple[int, ...]

    @cached_property
    def key(self) -> str:
        """Key that equal chunks of several rows share."""
        image_set = self.image_set
        return digest_json([self.folder, image_set.name, image_set.identity(self.seeds)])

    @property
    def num_images(self) -> int:
        """Images of the chunk."""
        return len(self.image_set.prompts) * len(self.seeds)


def tasks_of_job(evaluation: Evaluation, job: Job) -> list[DrawTask]:
    """Return the chunks of one job."""
    folder = evaluation.folder_of(job.recipe)
    return [
        DrawTask(
            label=job.label,
            what=", ".join(job.group.values()),
            recipe=job.recipe,
            folder=folder,
            image_set=image_set,
            seeds=seeds,
        )
        for image_set in job.image_sets
        for seeds in image_set.groups()
    ]


def tasks_of(evaluation: Evaluation) -> list[DrawTask]:
    """Return the chunks of an evaluation, each once, in the order of its jobs."""
    found: dict[str, DrawTask] = {}
    for job in evaluation.jobs():
        for task in tasks_of_job(evaluation, job):
            found.setdefault(task.key, task)
    return list(found.values())


def by_model(tasks: Sequence[DrawTask]) -> Iterator[list[DrawTask]]:
    """Yield the chunks of each model, in the order in which models come first."""
    groups: dict[str, list[DrawTask]] = {}
    for task in tasks:
        groups.setdefault(task.folder, []).append(task)
    yield from groups.values()


def num_images(tasks: Sequence[DrawTask]) -> int:
    """Return the images of some chunks."""
    return sum(task.num_images for task in tasks)


def recipes_of(evaluation: Evaluation) -> dict[str, Recipe]:
    """Return every model that has an artifact by its folder, those that others build on first."""
    found: dict[str, Recipe] = {}
    for job in evaluation.jobs():
        for link in job.recipe.links():
            found.setdefault(evaluation.folder_of(link), link)
    return found


def built_on(evaluation: Evaluation, jobs: Sequence[Job]) -> set[str]:
    """Return the folders of the models that the models of some jobs build on."""
    return {evaluation.folder_of(link) for job in jobs for link in list(job.recipe.links())[:-1]}
