"""The models of a bundle: read from its artifacts, or made again where their tensors are not in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from diffusers import StableDiffusionPipeline

from unlearncanvas.core.building import class_name
from unlearncanvas.core.registry import names
from unlearncanvas.engine.job import Job
from unlearncanvas.engine.model_store import ModelStore
from unlearncanvas.engine.opening import store_of
from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.pipelines.artifacts import Artifact, json_path, read_artifact
from unlearncanvas.pipelines.methods import ConfiguredEraser, load_eraser
from unlearncanvas.publish.submissions.contents import Contents, target_of

OURS = "erasers."


@dataclass(frozen=True)
class Models:
    """Lends the models of a bundle.

    Attributes:
        contents: The bundle.
        folder: For the artifacts that are made again.
    """

    contents: Contents
    folder: Path

    def check_base(self) -> None:
        """Refuse another base model than the bundle's.

        Raises:
            ValueError: If it is another one.
        """
        if self._store.base_digest != self.contents.manifest.base_digest:
            raise ValueError(
                f"{self.contents.evaluation.model!r} is not the base model of the bundle; name it "
                "with --model"
            )

    @contextmanager
    def lend(self, job: Job) -> Iterator[StableDiffusionPipeline]:
        """Lend the model of a job.

        Raises:
            ValueError: If what its artifacts were made from is another model than they say.
        """
        recipe = self._recipe(job)
        for link in recipe.links():
            self._check_before(link)
            if not json_path(self._place(link)).is_file():
                self._store.make(link)
        with self._store.lend(recipe) as lent:
            yield lent.pipe

    def _check_before(self, link: Recipe) -> None:
        before = link.before
        if not before.steps or not self._place(before).is_relative_to(self.contents.folder):
            return
        said, found = self.contents.model_digest(before), self._store.model_digest(before)
        if said != found:
            raise ValueError(
                f"the model of {before} has digest {found[:12]}, what was made from it says "
                f"{said[:12]}"
            )

    def _recipe(self, job: Job) -> Recipe:
        """A job's recipe; with the method itself for a model that must be made again."""
        if job not in self.contents.tested or self.contents.has_tensors(self.contents.place(job)):
            return job.recipe
        # protocols of version 0.6 had no templates: what the artifact was made for decides
        task = self.contents.record(self.contents.place(job)).task()
        last = replace(job.recipe.last, method=configured(self.contents), task=task)
        return replace(job.recipe, steps=(*job.recipe.steps[:-1], last))

    def _place(self, recipe: Recipe) -> Path:
        """The folder of an artifact: the bundle's, or that of one that is made again."""
        for job in self.contents.jobs:
            place = self.contents.place(job)
            if job.recipe == recipe and self.contents.has_tensors(place):
                return place
        return self.folder / self.contents.evaluation.folder_of(recipe)

    @cached_property
    def _store(self) -> ModelStore:
        evaluation = self.contents.evaluation
        store = store_of(
            evaluation.grid,
            model=evaluation.model,
            device=evaluation.device,
            sources=self.contents.sources,
            root=self.folder,
            folder_of=evaluation.folder_of,
        )
        return replace(store, folder=self._place)


def configured(contents: Contents) -> ConfiguredEraser:
    """Return the method of a bundle as it is here.

    Raises:
        ValueError: If it is not here, or does not have the bundle's settings.
    """
    manifest, preset = contents.manifest, contents.evaluation.grid.preset
    return load_eraser(manifest.eraser, preset=preset, overrides=manifest.settings)


def check_models(contents: Contents, *, trust_code: bool) -> None:
    """Refuse early what cannot be read, or made again, or may not be imported.

    Raises:
        ValueError: In one line.
    """
    for job in contents.jobs:
        if job.recipe.steps:
            _check_model(contents, job, trust_code=trust_code)


def _check_model(contents: Contents, job: Job, *, trust_code: bool) -> None:
    place, manifest = contents.place(job), contents.manifest
    record, stored = contents.record(place), contents.has_tensors(place)
    if stored:
        read_artifact(place)
    if stored and record.leaves == "weights":
        return  # data alone: no class is needed
    if job in contents.tested:
        known = manifest.eraser in names("erasers") and record.eraser_class.startswith(OURS)
    else:
        known = record.eraser_class == class_name(type(job.recipe.last.method.eraser))
    if not known and not trust_code:
        raise ValueError(
            f"the bundle wants {record.eraser_class!r} imported, which is not of this package; "
            "look at that code, then say --trust-code"
        )
    if not stored and not (known and _makes_again(contents, job, record)):
        raise ValueError(
            f"the bundle has no erased tensors for {target_of(job)}, and they were made by version "
            f"{record.version} of {record.identity['method']}, which is not here; ask for a "
            "bundle made with --artifacts all"
        )


def _makes_again(contents: Contents, job: Job, record: Artifact) -> bool:
    """Whether the method here is the one that made an artifact, by name and version."""
    tested = job in contents.tested
    here = configured(contents) if tested else job.recipe.last.method
    return (here.method, here.version) == (record.identity["method"], record.version)
