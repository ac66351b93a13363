"""What one call of the benchmark will do, decided before anything is loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.core.config import ConfiguredEraser
from unlearncanvas.core.digests import digest_json
from unlearncanvas.evaluations.grid.protocol import GridProtocol
from unlearncanvas.results.run_config import RunConfig
from unlearncanvas.types import Concept, Task

if TYPE_CHECKING:
    import torch
from unlearncanvas.results.schema import BASELINES

Artifacts = Literal["whole", "half", "dropped"]
CUSTOM = "custom"
"""Tier of a run whose targets or seeds are none of the protocol's."""
NO_TARGET = Concept(kind="trigger", name="none")
"""Task of the baselines, which are the same whatever the target is."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One erased model and the seeds to draw it at.

    Attributes:
        eraser: The eraser.
        task: What it is asked.
        folder: Where artifact, chunks and result go.
        targets: Concepts that this model is scored for; several for ``none`` and ``noise``.
    """

    eraser: ConfiguredEraser
    task: Task
    folder: Path
    targets: tuple[Concept, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All jobs of a run.

    Attributes:
        config: The options that decide its numbers, as results store them.
        protocol: The rules, with the sampler as it will be used and the tier's part of the grid.
        whole: The same with the whole grid; its digest names the exam.
        model: Base model.
        erasers: Baselines first.
        targets: What to forget, one at a time.
        seeds: Seeds of the images.
        erase_seeds: Seeds of the erasers.
        tier: Name of the tier, or ``custom``.
        part: Tier whose part of the grid is drawn; None is the whole grid.
        device: Where to run.
        out: Root of the run folders.
        keep_images: Write every image as a file.
        artifacts: What becomes of erased weights: kept whole, kept in half precision, or dropped
            when a target's images are all there.
        skip_base_check: Go on with a base model that the detectors do not recognise.
        sources: Where the user keeps what the package does not ship.
    """

    config: RunConfig
    protocol: GridProtocol
    whole: GridProtocol
    model: str
    erasers: tuple[ConfiguredEraser, ...]
    targets: tuple[Concept, ...]
    seeds: tuple[int, ...]
    erase_seeds: tuple[int, ...]
    tier: str
    device: "torch.device"
    out: Path
    keep_images: bool
    artifacts: Artifacts = "whole"
    skip_base_check: bool = False
    sources: Sources = SHIPPED
    part: str | None = None

    @property
    def limited_grid(self) -> bool:
        """Whether seeds or cells of a target's grid are left out."""
        return (
            set(self.seeds) != set(self.whole.seeds) or self.protocol.cells() != self.whole.cells()
        )

    @property
    def limited(self) -> bool:
        """Whether targets, seeds or cells of the whole exam are left out."""
        return self.limited_grid or set(self.targets) != set(self.whole.targets.concepts())

    def eraser_folder(self, eraser: ConfiguredEraser) -> Path:
        """Return an eraser's folder; another identity, base model or protocol has another one.

        Another precision, batch size or optimization is another protocol digest.
        """
        half = ["half"] if self.artifacts == "half" else []
        digest = digest_json([eraser.identity, self.model, self.whole.digest, *half])[:8]
        return self.out / self.protocol.name / f"{eraser.name}-{digest}"

    @property
    def tier_folder(self) -> str:
        """The tier as a folder's name; targets and seeds of the user's own have another one."""
        own: list[object] = (
            [list(map(str, self.targets)), self.seeds, self.part] if self.tier == CUSTOM else []
        )
        if self.erase_seeds != (self.whole.erase_seed,):
            own.append(self.erase_seeds)
        return f"{self.tier}-{digest_json(own)[:8]}" if own else self.tier

    def run_folder(self) -> Path:
        """Return where the run's table, pictures and ``results.json`` go."""
        tested = [eraser for eraser in self.erasers if eraser.name not in BASELINES]
        if len(tested) == 1:
            return self.eraser_folder(tested[0]) / self.tier_folder
        names = "+".join(eraser.name for eraser in tested) or "baselines"
        digest = digest_json([self.eraser_folder(eraser).name for eraser in self.erasers])[:8]
        return self.out / self.protocol.name / f"{names}-{digest}" / self.tier_folder

    def label(self, eraser: ConfiguredEraser, seed: int) -> str:
        """Return the name of an eraser's row; several erasing seeds have a row each."""
        seeded = len(self.erase_seeds) > 1 and eraser.name not in BASELINES
        return f"{eraser.name} seed {seed}" if seeded else eraser.name

    def result_folder(self, job: Job, target: Concept) -> Path:
        """Return where the result of one target goes."""
        name = f"{target.slug}-seed{job.task.seed}"
        return self.eraser_folder(job.eraser) / self.tier_folder / name

    def jobs(self) -> list[Job]:
        """Return the jobs in the order they run: what is quick to see first."""
        jobs = []
        for eraser in self.erasers:
            folder = self.eraser_folder(eraser)
            if not eraser.eraser.per_target:
                task = Task(targets=(NO_TARGET,), seed=self.protocol.erase_seed)
                jobs.append(
                    Job(eraser=eraser, task=task, folder=folder / "all", targets=self.targets)
                )
                continue
            for target in self.targets:
                for seed in self.erase_seeds:
                    name = f"{target.slug}-seed{seed}"
                    task = self.protocol.task(target, seed=seed)
                    jobs.append(
                        Job(eraser=eraser, task=task, folder=folder / name, targets=(target,))
                    )
        return jobs

    def num_images(self) -> int:
        """Return the images of the whole run."""
        return sum(map(self.images_of, self.jobs())) * len(self.seeds)

    def images_of(self, job: Job) -> int:
        """Return the images of one job at one seed."""
        return len(self.protocol.cells_for(job.task.targets[0]))
