"""The files of a bundle beside the jobs of its evaluation."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from unlearncanvas.canvases.detectors import Detectors
from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.sources import Sources
from unlearncanvas.core.json_file import read_json
from unlearncanvas.engine.drawing import Unit
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.image_sets import ImageSet
from unlearncanvas.engine.job import Job
from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.engine.reference_features import open_reference
from unlearncanvas.engine.scoring import Drawn, DrawnSet, Scoring
from unlearncanvas.pipelines.artifacts import Artifact, json_path
from unlearncanvas.publish.submissions.bundle import RESULTS, Manifest, read_manifest
from unlearncanvas.publish.submissions.recorded import evaluation_of_bundle
from unlearncanvas.publish.submissions.tables import BundleChunk
from unlearncanvas.results.old_results import read_old_run
from unlearncanvas.results.reading import read_results
from unlearncanvas.results.schema import Results, Row, group_name
from unlearncanvas.types import Concept

ROWS, OLD_ROWS = "rows", "targets"
Key = tuple[str, tuple[str, ...]]


def key_of(row: Job | Row) -> Key:
    """Return what tells a row from the others: its label and its group."""
    return row.label, tuple(row.group.values())


def target_of(row: Job | Row) -> str:
    """Return what a row was measured on, as a manifest names it."""
    return group_name(dict(row.group))


def jobs_of(evaluation: Evaluation, label: str) -> tuple[list[Job], list[Job]]:
    """Return the jobs of a label, and those that they rest on."""
    found: dict[Key, Job] = {}
    for job in evaluation.jobs():
        if job.label == label:
            found.setdefault(key_of(job), job)
    needed = {
        key_of(other): other
        for job in found.values()
        for other in evaluation.needed_for(job)
        if key_of(other) not in found
    }
    return list(found.values()), list(needed.values())


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A bundle, its results, and the evaluation that says what must be in it.

    Attributes:
        folder: The bundle.
        manifest: Its manifest.
        evaluation: With a stand-in for the bundle's method.
        detectors: Of the evaluation.
        sources: Where detectors and real images are.
    """

    folder: Path
    manifest: Manifest
    evaluation: Evaluation
    detectors: Detectors
    sources: Sources

    @property
    def tested(self) -> list[Job]:
        """Jobs of the bundle's method."""
        return self._jobs[0]

    @property
    def jobs(self) -> list[Job]:
        """Jobs of all rows: those that the tested ones rest on come first."""
        tested, needed = self._jobs
        return [*needed, *tested]

    @cached_property
    def _jobs(self) -> tuple[list[Job], list[Job]]:
        return jobs_of(self.evaluation, self.manifest.eraser)

    def results(self) -> Results:
        """Return the results in the bundle, whatever other files they name.

        Raises:
            ValueError: If they cannot be read.
        """
        path = self.folder / RESULTS
        if self.manifest.schema_version == 2:
            return read_results(path)
        return read_old_run(path, [self.place(job) / "result.json" for job in self.tested])

    def place(self, job: Job) -> Path:
        """Return the folder of a row."""
        if self.manifest.schema_version == 1:
            return self.folder / OLD_ROWS / Concept.parse(job.group["target"]).slug
        name = "-".join([job.label, *job.group.values()])
        return self.folder / ROWS / re.sub(r"[^\w.-]+", "_", name.replace(":", "-"))

    def model_place(self, recipe: Recipe) -> Path:
        """Return the folder of the artifact of a recipe's last step.

        Raises:
            ValueError: If no row is of that model.
        """
        for job in self.jobs:
            if job.recipe == recipe:
                return self.place(job)
        raise ValueError(f"the bundle has no row of the model of {recipe}")

    def models(self, job: Job) -> Iterator[tuple[Recipe, Path]]:
        """Yield each model on the way to a job's, and the folder of its artifact."""
        for link in job.recipe.links():
            yield link, self.place(job) if link == job.recipe else self.model_place(link)

    def record(self, place: Path) -> Artifact:
        """Return what made an artifact.

        Raises:
            ValueError: If that cannot be read.
        """
        return read_json(Artifact, json_path(place))

    def has_tensors(self, place: Path) -> bool:
        """Whether the erased tensors are in the bundle."""
        return self.relative(place / "erased.safetensors") in self.manifest.files

    def relative(self, path: Path) -> str:
        """Return a path as the manifest names it."""
        return path.relative_to(self.folder).as_posix()

    def chunks(self, job: Job) -> Iterator[BundleChunk]:
        """Yield the chunks of a row, in the order in which they are drawn."""
        for image_set in job.image_sets:
            for seeds in image_set.groups():
                yield BundleChunk(
                    folder=self.place(job),
                    seed=seeds[0],
                    key="",
                    file=self.place(job) / self._chunk_name(image_set, seeds[0]),
                    image_set=image_set,
                    seeds=seeds,
                    detectors=self.detectors,
                )

    def _chunk_name(self, image_set: ImageSet, seed: int) -> str:
        prefix = "" if self.manifest.schema_version == 1 else f"{image_set.name}-"
        return f"{prefix}seed{seed}.parquet"

    def find(self, job: Job) -> Drawn:
        """Return what was drawn for a job."""
        drawn: dict[str, list[Unit]] = {}
        for chunk in self.chunks(job):
            unit = Unit(chunk, chunk.image_set, chunk.seeds)
            drawn.setdefault(chunk.image_set.name, []).append(unit)
        return {name: DrawnSet(units) for name, units in drawn.items()}

    def model_digest(self, recipe: Recipe) -> str:
        """Return the digest of a model's tensors, as what was made from it says.

        Raises:
            ValueError: If the bundle has no artifact that was made from it.
        """
        if not recipe.steps:
            return self.manifest.base_digest
        for job in self.jobs:
            for link, place in self.models(job):
                if link.before == recipe:
                    return self.record(place).base_digest
        raise ValueError(f"no artifact of the bundle was made from the model of {recipe}")

    def scoring(self) -> Scoring:
        """Return what the evaluation scores with; features of real images where there are any."""
        return Scoring(
            reference=open_reference(
                self.evaluation.grid,
                self.detectors,
                self.sources,
                self.folder.parent / "reference",
            ),
            device=self.evaluation.device,
            find=self.find,
            artifact=lambda recipe: self.record(self.model_place(recipe)),
            model_digest=self.model_digest,
        )


def contents_of(
    folder: Path,
    sources: Sources,
    *,
    protocol: str | None = None,
    device: str = "cpu",
    model: str | None = None,
) -> Contents:
    """Return the contents of a bundle whose files are those that it says.

    Args:
        folder: The bundle.
        sources: Where detectors and real images are.
        protocol: File of the protocol, for one that is not of this package.
        device: Where images are drawn.
        model: Base model; None for the protocol's.

    Raises:
        ValueError: If its protocol or the detectors are not here.
    """
    manifest = read_manifest(folder)
    evaluation = evaluation_of_bundle(
        _with_erase_seed(manifest, folder), sources, protocol=protocol, device=device, model=model
    )
    grid = evaluation.grid
    detectors = load_detectors(
        grid.detectors, grid.extractors(), device=evaluation.device, sources=sources
    )
    return Contents(
        folder=folder,
        manifest=manifest,
        evaluation=evaluation,
        detectors=detectors,
        sources=sources,
    )


def _with_erase_seed(manifest: Manifest, folder: Path) -> Manifest:
    """The manifest with the seed of the erasures, which that of version 0.6 does not have."""
    if manifest.schema_version == 2:
        return manifest
    place = folder / OLD_ROWS / Concept.parse(manifest.targets[0]).slug
    record = read_json(Artifact, json_path(place))
    return manifest.model_copy(update={"options": {"erase_seeds": [record.seed]}})
