"""The grid: every eraser forgets one target at a time, and draws every style x object cell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

from metrics.base import Predictions, Score
from unlearncanvas.core.digests import digest_json
from unlearncanvas.engine.evaluation import CUSTOM, Evaluation
from unlearncanvas.engine.image_sets import ImageSet
from unlearncanvas.engine.job import Figure, Job, Scored
from unlearncanvas.engine.recipe import Recipe, Step
from unlearncanvas.engine.scoring import Scoring
from unlearncanvas.evaluations.grid.figures import draw_figures
from unlearncanvas.evaluations.grid.protocol import GridProtocol
from unlearncanvas.evaluations.grid.scores import (
    concept_accuracy,
    real_vs_real,
    target_scores,
)
from unlearncanvas.evaluations.grid.tables import tables
from unlearncanvas.evaluations.grid.wordings import set_name, worded_seeds
from unlearncanvas.pipelines.methods import ConfiguredEraser
from unlearncanvas.results.aggregate import mean_rows
from unlearncanvas.results.cells import BASELINES
from unlearncanvas.results.export import Table
from unlearncanvas.results.schema import MeanRow, Results, Row
from unlearncanvas.types import Concept, Task

NO_TARGET = Concept(kind="trigger", name="none")
"""Task of the baselines, which are the same whatever the target is."""
BALANCED = {
    "UA": "unlearning_accuracy",
    "UA forms": "unlearning_accuracy_over_forms",
    "IRA": "in_domain_retain_accuracy",
    "CRA": "cross_domain_retain_accuracy",
}
"""What is weighed in a search for settings."""
GRID = "grid"
"""Name of the image set."""


@final
@dataclass(frozen=True, kw_only=True)
class GridEvaluation(Evaluation):
    """One run of the grid.

    Attributes:
        protocol: The rules, with the sampler as it is used and the tier's part of the grid.
        whole: The same with the whole grid; its digest names the protocol.
        erasers: Baselines first.
        targets: What to forget, one at a time.
        image_seeds: Seeds of the images.
        erase_seeds: Seeds of the erasers.
        part: Tier whose part of the grid is drawn; None is the whole grid.
    """

    kind: ClassVar[str] = "grid"

    protocol: GridProtocol
    whole: GridProtocol
    erasers: tuple[ConfiguredEraser, ...]
    targets: tuple[Concept, ...]
    image_seeds: tuple[int, ...]
    erase_seeds: tuple[int, ...]
    part: str | None = None

    @property
    def grid(self) -> GridProtocol:
        """The tier's part of the grid."""
        return self.protocol

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the images."""
        return self.image_seeds

    @property
    def published(self) -> str | None:
        """The protocol's published table."""
        return self.protocol.published

    @property
    def subset(self) -> bool:
        """Whether targets, seeds or cells of the whole grid are left out."""
        return (
            set(self.image_seeds) != set(self.whole.seeds)
            or self.protocol.cells() != self.whole.cells()
            or set(self.targets) != set(self.whole.targets.concepts())
        )

    def jobs(self) -> list[Job]:
        """Return a job for each eraser and target, baselines first."""
        return [job for eraser in self.erasers for job in self._jobs_of(eraser)]

    def _jobs_of(self, eraser: ConfiguredEraser) -> Iterator[Job]:
        for target in self.targets:
            if not eraser.eraser.per_target:
                task = Task(targets=(NO_TARGET,), seed=self.protocol.erase_seed)
                yield self._job(eraser, target, Step(method=eraser, task=task, name="all"))
                continue
            for seed in self.erase_seeds:
                task = self.protocol.task(target, seed=seed)
                step = Step(method=eraser, task=task, name=f"{target.slug}-seed{seed}")
                yield self._job(eraser, target, step)

    def _job(self, eraser: ConfiguredEraser, target: Concept, step: Step) -> Job:
        rules = self.protocol.for_eraser(eraser.name)
        cells = rules.cells_for(step.task.targets[0])
        return Job(
            label=self.label(eraser, step.task.seed),
            role="baseline" if eraser.name in BASELINES else "tested",
            group={"target": str(target)},
            recipe=Recipe(base=self.model, steps=(step,)),
            image_sets=(
                ImageSet(
                    name=GRID,
                    prompts={cell: rules.ask(cell) for cell in cells},
                    seeds=self.image_seeds,
                    sampler=rules.sampler,
                ),
                *(
                    ImageSet(
                        name=set_name(name, target),
                        prompts=prompts,
                        seeds=worded_seeds(self.image_seeds),
                        sampler=rules.sampler,
                    )
                    for name, prompts in rules.worded_prompts(target).items()
                ),
            ),
            is_base=eraser.name == "none",
        )

    def label(self, eraser: ConfiguredEraser, seed: int) -> str:
        """Return the name of an eraser's rows; several erasing seeds have rows of their own."""
        seeded = len(self.erase_seeds) > 1 and eraser.name not in BASELINES
        return f"{eraser.name} seed {seed}" if seeded else eraser.name

    def score(self, job: Job, scoring: Scoring) -> Scored:
        """Return the protocol's metrics, and how often each concept is found."""
        drawn, target = scoring.drawn(job), Concept.parse(job.group["target"])
        grid = drawn[GRID].predictions
        sets = {name: set_name(name, target) for name in self.protocol.worded_sets()}
        worded = (
            {name: drawn[place].predictions for name, place in sets.items()}
            if drawn.keys() >= set(sets.values())
            else None
        )
        real = scoring.real(len(self.image_seeds))
        folder = self.folder_of(job.recipe)
        base = self._base_images(target, scoring)
        found = target_scores(self.protocol, grid, target, real, base=base, worded=worded)
        details = scoring.once(
            f"concepts of {folder}", lambda: concept_accuracy(self.protocol, grid)
        )
        return found._replace(details=details)

    def needed_for(self, job: Job) -> tuple[Job, ...]:
        """Return the base model's job of the same target, if a metric compares with its images."""
        target = Concept.parse(job.group["target"])
        return (self._base_job(target),) if self.protocol.base_metrics() else ()

    def _base_job(self, target: Concept) -> Job:
        none = next(eraser for eraser in self.erasers if eraser.name == "none")
        return next(job for job in self._jobs_of(none) if job.group["target"] == str(target))

    def _base_images(self, target: Concept, scoring: Scoring) -> Predictions | None:
        """The base model's images, if a metric compares with them and they were drawn."""
        if not (self.protocol.base_metrics() and scoring.has_base):
            return None
        return scoring.drawn(self._base_job(target))[GRID].predictions

    def real_vs_real(self, scoring: Scoring) -> dict[str, Score]:
        """Return FID and KID of real images against others, at the same n."""
        if scoring.reference is None:
            return {}
        return real_vs_real(self.protocol, scoring.reference, len(self.image_seeds))

    def means(self, rows: Sequence[Row]) -> tuple[MeanRow, ...]:
        """Return the mean over style targets and over object targets of each label."""
        return mean_rows(rows)

    def balance(self, results: Results, label: str) -> Mapping[str, Mapping[str, float]]:
        """Return UA, UA over forms where it is measured, IRA and CRA, of styles and of objects."""
        return {
            row.kind: {
                part: row.scores[name].value
                for part, name in BALANCED.items()
                if name in row.scores or part != "UA forms"
            }
            for row in results.means
            if row.label == label
        }

    def tables(self, results: Results) -> Sequence[Table]:
        """Return scores for styles, scores for objects, and costs."""
        return tables(results)

    def figures(self, rows: Sequence[Row], scoring: Scoring) -> Sequence[Figure]:
        """Write the heat map, and a contact sheet for every target."""
        return draw_figures(self, rows, scoring)

    def eraser_folder(self, eraser: ConfiguredEraser) -> Path:
        """Return the folder of an eraser's models."""
        recipe = Recipe(base=self.model, steps=(Step(method=eraser, task=_ANY, name="any"),))
        return (self.root / self.folder_of(recipe)).parent

    @property
    def tier_folder(self) -> str:
        """The tier as a folder's name; targets and seeds of the user's own have another one."""
        own: list[object] = (
            [list(map(str, self.targets)), self.image_seeds, self.part]
            if self.tier == CUSTOM
            else []
        )
        if self.erase_seeds != (self.whole.erase_seed,):
            own.append(self.erase_seeds)
        return f"{self.tier}-{digest_json(own)[:8]}" if own else self.tier

    def run_folder(self) -> Path:
        """Return where tables, figures and ``results.json`` go."""
        tested = [eraser for eraser in self.erasers if eraser.name not in BASELINES]
        if len(tested) == 1:
            return self.eraser_folder(tested[0]) / self.tier_folder
        names = "+".join(eraser.name for eraser in tested) or "baselines"
        digest = digest_json([self.eraser_folder(eraser).name for eraser in self.erasers])[:8]
        return self.root / f"{names}-{digest}" / self.tier_folder


_ANY = Task(targets=(NO_TARGET,))
