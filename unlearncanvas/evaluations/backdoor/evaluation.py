"""Backdoors: attacks poison a model, erasers repair it, triggered and clean images are scored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

from unlearncanvas.core.digests import digest_json
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.grid import Grid
from unlearncanvas.engine.job import Figure, Job, Role, Scored
from unlearncanvas.engine.recipe import Recipe, Step
from unlearncanvas.engine.scoring import Scoring
from unlearncanvas.evaluations.backdoor.figures import removal_figure
from unlearncanvas.evaluations.backdoor.image_sets import AttackSets, sets_of
from unlearncanvas.evaluations.backdoor.judge import judge_of
from unlearncanvas.evaluations.backdoor.labels import CLEAN, POISONED
from unlearncanvas.evaluations.backdoor.protocol import BackdoorProtocol
from unlearncanvas.evaluations.backdoor.scores import gate_passed, score_model
from unlearncanvas.evaluations.backdoor.tables import tables
from unlearncanvas.evaluations.backdoor.tasks import (
    TriggerKnowledge,
    as_attack,
    injection_task,
    known_backdoors,
    num_known,
    removal_task,
)
from unlearncanvas.pipelines.methods import ConfiguredEraser
from unlearncanvas.results.export import Table
from unlearncanvas.results.schema import Results, Row, group_text

BALANCED = ("removal_accuracy", "as_asked", "clean_style_accuracy", "clean_object_accuracy")
"""What is weighed in a search for settings."""


@final
@dataclass(frozen=True, kw_only=True)
class BackdoorEvaluation(Evaluation):
    """One run of the backdoor evaluation.

    Attributes:
        protocol: The rules, with a tier's counts and attacks.
        whole: The rules without a tier; their digest names the protocol.
        attacks: Attacks that poison the model.
        erasers: Erasers that repair it.
        erase_seeds: Seeds of the erasers.
        image_seeds: Draw at these instead of as many as the protocol's counts take.
        known_fraction: Share of the triggers that the defender knows; at least one.
        trigger_knowledge: ``exact``, or ``neighbour``: a near text in the place of each trigger.
    """

    kind: ClassVar[str] = "backdoor"

    protocol: BackdoorProtocol
    whole: BackdoorProtocol
    attacks: tuple[ConfiguredEraser, ...]
    erasers: tuple[ConfiguredEraser, ...]
    erase_seeds: tuple[int, ...]
    image_seeds: tuple[int, ...] | None = None
    known_fraction: float = 1.0
    trigger_knowledge: TriggerKnowledge = "exact"

    @property
    def grid(self) -> Grid:
        """The grid whose cells are drawn."""
        return self.protocol.grid

    @property
    def subset(self) -> bool:
        """Whether attacks or images of the whole evaluation are left out."""
        return self.protocol != self.whole or self.image_seeds is not None

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the clean grid."""
        first = self.protocol.first_seed
        return self.image_seeds or tuple(range(first, first + self.protocol.num_clean_seeds))

    def jobs(self) -> list[Job]:
        """Return for each attack the clean model, the poisoned one, and every eraser's."""
        return [job for attack in self.attacks for job in self._jobs_of(attack)]

    def _jobs_of(self, configured: ConfiguredEraser) -> Iterator[Job]:
        sets, poisoned = self.sets(configured), self._poisoned(configured)
        group = {"attack": configured.name}
        yield self.clean_job(configured)
        yield self._poisoned_job(configured)
        for eraser in self.erasers:
            for seed in self.erase_seeds:
                label = f"{eraser.name} seed {seed}" if len(self.erase_seeds) > 1 else eraser.name
                step = self._removal(configured, eraser, seed)
                recipe = Recipe(base=self.model, steps=(*poisoned.steps, step))
                yield _job(label, "tested", group, recipe, sets)

    def clean_job(self, configured: ConfiguredEraser) -> Job:
        """Return the job of the model before an attack; it draws the clean pairs, too."""
        return Job(
            label=CLEAN,
            role="baseline",
            group={"attack": configured.name},
            recipe=Recipe(base=self.model),
            image_sets=self.sets(configured).of_model(clean=True),
            is_base=True,
        )

    def needed_for(self, job: Job) -> tuple[Job, Job]:
        """Return the jobs of the clean and of the poisoned model of a job's attack."""
        configured = self._attack(job.group["attack"])
        return self.clean_job(configured), self._poisoned_job(configured)

    def sets(self, configured: ConfiguredEraser) -> AttackSets:
        """Return the image sets of an attack."""
        return sets_of(self.protocol, as_attack(configured), self.image_seeds)

    def _poisoned_job(self, configured: ConfiguredEraser) -> Job:
        group = {"attack": configured.name}
        return _job(POISONED, "baseline", group, self._poisoned(configured), self.sets(configured))

    def _poisoned(self, configured: ConfiguredEraser) -> Recipe:
        seed = self.protocol.inject_seed
        task = injection_task(self.grid, seed)
        step = Step(method=configured, task=task, name=f"seed{seed}")
        return Recipe(base=self.model, steps=(step,))

    def _removal(self, configured: ConfiguredEraser, eraser: ConfiguredEraser, seed: int) -> Step:
        attack = as_attack(configured)
        count = num_known(attack, self.known_fraction)
        known = known_backdoors(self.protocol, attack, count, self.trigger_knowledge)
        task = removal_task(self.protocol, attack, known=known, seed=seed)
        return Step(
            method=eraser,
            task=task,
            name=f"{configured.name}-{count}-{self.trigger_knowledge}-seed{seed}",
        )

    def score(self, job: Job, scoring: Scoring) -> Scored:
        """Return attack success, recovery of the clean images, and retention."""
        configured = self._attack(job.group["attack"])
        attack = as_attack(configured)
        return score_model(
            self.protocol,
            attack,
            scoring.drawn(job),
            scoring.drawn(self.clean_job(configured)),
            scoring,
            sets=self.sets(configured),
            known=num_known(attack, self.known_fraction),
        )

    def _attack(self, name: str) -> ConfiguredEraser:
        return next(attack for attack in self.attacks if attack.name == name)

    def notes(self, rows: Sequence[Row], scoring: Scoring) -> dict[str, dict[str, Any]]:
        """Return the settings and the judge of each attack, and whether its gate is passed."""
        found = {}
        for configured in self.attacks:
            attack, group = as_attack(configured), {"attack": configured.name}
            own = {row.label: row for row in rows if row.group == group}
            found[group_text(group)] = {
                "settings": configured.settings,
                "poisoned_digest": scoring.model_digest(self._poisoned(configured)),
                "reach": attack.reach,
                "judge": judge_of(attack.effect, attack.backdoors),
                "gate_passed": gate_passed(own[CLEAN], own[POISONED]),
                "num_triggered": own[CLEAN].scores["attack_success_rate"].n,
                "known_fraction": self.known_fraction,
                "trigger_knowledge": self.trigger_knowledge,
            }
        return found

    def balance(self, results: Results, label: str) -> Mapping[str, Mapping[str, float]]:
        """Return removal, recovery and retention of each attack."""
        return {
            row.group["attack"]: {name: row.scores[name].value for name in BALANCED}
            for row in results.rows
            if row.label == label
        }

    def tables(self, results: Results) -> Sequence[Table]:
        """Return tables of removal, retention, comparisons and costs for each attack."""
        return tables(results)

    def figures(self, rows: Sequence[Row], scoring: Scoring) -> Sequence[Figure]:
        """Write a contact sheet for every attack."""
        self.run_folder().mkdir(parents=True, exist_ok=True)
        return [self._figure(attack, scoring) for attack in self.attacks]

    def _figure(self, attack: ConfiguredEraser, scoring: Scoring) -> Figure:
        jobs = [job for job in self._jobs_of(attack) if job.label != CLEAN]
        return removal_figure(
            attack.name,
            self.sets(attack),
            scoring.drawn(self.clean_job(attack)),
            {job.label: scoring.drawn(job) for job in jobs},
            self.run_folder(),
        )

    def run_folder(self) -> Path:
        """Return where tables, figures and ``results.json`` go.

        Another identity, knowledge, seed, base model or protocol digest has another folder.
        """
        names = "+".join(eraser.name for eraser in self.erasers)
        methods = [
            [[item.name, item.identity] for item in items] for items in (self.attacks, self.erasers)
        ]
        own = [self.known_fraction, self.trigger_knowledge, self.model, self.digest]
        digest = digest_json([*methods, *own, self.image_seeds, self.erase_seeds])
        return self.root / f"{names}-{digest[:8]}" / self.tier


def _job(label: str, role: Role, group: dict[str, str], recipe: Recipe, sets: AttackSets) -> Job:
    return Job(
        label=label,
        role=role,
        group=group,
        recipe=recipe,
        image_sets=sets.of_model(clean=False),
    )
