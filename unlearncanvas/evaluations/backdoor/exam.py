"""The backdoor exam: poison, remove, draw, judge; what is done already is kept."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.core.config import ConfiguredEraser
from unlearncanvas.engine.base_check import check_base
from unlearncanvas.engine.callbacks import Callback
from unlearncanvas.engine.chunks import ufe_per_image
from unlearncanvas.engine.environment import environment
from unlearncanvas.engine.erasing import Workbench
from unlearncanvas.engine.reference_features import open_reference
from unlearncanvas.engine.studio import Studio
from unlearncanvas.evaluations.backdoor.assess import CLEAN, POISONED, Drawn, assess
from unlearncanvas.evaluations.backdoor.drawing import SheetDrawer, read_shown
from unlearncanvas.evaluations.backdoor.perception import open_judges
from unlearncanvas.evaluations.backdoor.plan import BackdoorPlan, ImageSets
from unlearncanvas.evaluations.backdoor.poison import PoisonRoom, as_attack
from unlearncanvas.evaluations.backdoor.results import (
    AttackResults,
    BackdoorResults,
    write_backdoor_results,
)
from unlearncanvas.evaluations.backdoor.sheets import removal_task
from unlearncanvas.pipelines.artifacts import Artifact, base_digest
from unlearncanvas.pipelines.optimizations import prepare_pipeline
from unlearncanvas.pipelines.ufe import Counted, counted
from unlearncanvas.types import Task

Lend = Callable[[], AbstractContextManager[Counted]]


@dataclass(kw_only=True)
class BackdoorExam:
    """One run of a plan."""

    plan: BackdoorPlan
    callback: Callback

    def __post_init__(self) -> None:
        """Load the clean model and the detectors, and check that they belong together."""
        plan, rules = self.plan, self.plan.protocol.grid
        self.drawn: dict[str, dict[str, Drawn]] = {}
        self._room = PoisonRoom(
            protocol=rules,
            model=plan.model,
            device=plan.device,
            out=plan.root / "poisoned",
            seed=plan.protocol.inject_seed,
            sources=plan.sources,
        )
        self._sampler = rules.sampler
        self._detectors = load_detectors(
            rules.detectors, rules.extractors(), device=plan.device, sources=plan.sources
        )
        if not plan.skip_base_check:
            self._detectors.accept(plan.model, self._room.clean_digest)
        self._real = open_reference(rules, self._detectors, plan.sources, plan.root / "reference")
        self._judges = open_judges(plan.protocol, plan.device)
        self._drawer = SheetDrawer(
            protocol=rules,
            detectors=self._detectors,
            device=plan.device,
            on_batch=self.callback.drawn,
        )

    def run(self) -> BackdoorResults:
        """Do what is missing, write ``results.json``, return the results."""
        plan = self.plan
        results = BackdoorResults(
            protocol=plan.protocol.name,
            protocol_digest=plan.whole.digest,
            tier=plan.tier,
            limited=plan.limited,
            known=plan.known,
            knowledge=plan.knowledge,
            model=plan.model,
            base_digest=self._room.clean_digest,
            attacks=tuple(self._attack(attack) for attack in plan.attacks),
            environment=environment(plan.device),
            config=plan.config,
        )
        write_backdoor_results(plan.run_folder(), results)
        return results

    def _attack(self, attack: ConfiguredEraser) -> AttackResults:
        """Poison one model, and have every eraser mend it."""
        plan, room = self.plan, self._room
        self.callback.erasing("inject", attack.name)
        made = {POISONED: room.inject(attack)}
        digest = base_digest(room.poisoned(attack))
        sheets, place = plan.sheets(as_attack(attack)), room.folder(attack)
        drawn = {
            CLEAN: self._draw(
                f"{CLEAN} {attack.name}",
                lambda: counted(prepare_pipeline(room.clean(), self._sampler)),
                folder=plan.root / "clean" / place.name, digest=room.clean_digest,
                sheets=sheets, clean=True,
            ),
            POISONED: self._draw(
                f"{POISONED} {attack.name}",
                lambda: counted(prepare_pipeline(room.poisoned(attack), self._sampler)),
                folder=place, digest=digest, sheets=sheets, clean=False,
            ),
        }  # fmt: skip
        if not plan.skip_base_check:
            predictions = drawn[CLEAN].clean.predictions
            check_base(predictions, model=plan.model, wanted=self._detectors.base_accuracy)
        self._mend(attack, digest, sheets, made, drawn)
        self.drawn[attack.name] = drawn
        seeds = plan.protocol.num_clean_seeds
        return assess(
            plan,
            attack,
            drawn=drawn,
            made=made,
            poisoned_digest=digest,
            reference=None if self._real is None else self._real.real(seeds),
            judges=self._judges,
        )

    def _mend(
        self,
        attack: ConfiguredEraser,
        digest: str,
        sheets: ImageSets,
        made: dict[str, Artifact],
        drawn: dict[str, Drawn],
    ) -> None:
        """Let every eraser work on the poisoned model; add what it made and drew."""
        plan, load = self.plan, partial(self._room.poisoned, attack)
        studio = Studio(load, self._sampler)
        bench = Workbench.of(
            plan.protocol.grid,
            load,
            base=plan.model,
            base_digest=digest,
            cache_dir=plan.root / "gallery",
            sources=plan.sources,
            on_loss=self.callback.loss,
        )
        for eraser in plan.erasers:
            label = f"{eraser.name} {attack.name}"
            self.callback.erasing(eraser.name, attack.name)
            folder = plan.eraser_folder(eraser) / self._room.folder(attack).name
            artifact = bench.artifact(eraser, self._task(attack, eraser), folder)
            made[eraser.name] = artifact
            drawn[eraser.name] = self._draw(
                label, partial(studio.erased, folder),
                folder=folder, digest=f"{artifact.digest} {artifact.tensors_digest}",
                sheets=sheets, clean=False,
            )  # fmt: skip

    def _task(self, attack: ConfiguredEraser, eraser: ConfiguredEraser) -> Task:
        wants_clean = "clean model" in eraser.eraser.needs
        return removal_task(
            self.plan.protocol,
            as_attack(attack),
            known=self.plan.known_to_defender(as_attack(attack)),
            clean_unet=self._room.clean().unet if wants_clean else None,
        )

    def _draw(
        self, label: str, lend: Lend, *, folder: Path, digest: str, sheets: ImageSets, clean: bool
    ) -> Drawn:
        """Return what a model draws for an attack; it is lent only if something is missing."""
        todo = {
            sheet.name: self._drawer.portions(sheet, folder, digest)
            for sheet in sheets.of_model(clean=clean)
        }
        portions = [portion for found in todo.values() for portion in found]
        missing = [portion for portion in portions if portion.chunk.metadata() is None]
        there = [portion for portion in portions if portion not in missing]
        self.callback.reused(sum(len(portion.requests) for portion in there))
        if missing:
            self.callback.drawing(label)
            with lend() as lent:
                for portion in missing:
                    self._drawer.draw(lent, portion)
        records = [portion.chunk.metadata() for portion in portions]
        shown = {name: read_shown(found) for name, found in todo.items()}
        return Drawn(
            clean=shown["clean"],
            triggered=[shown[sheet.name] for sheet in sheets.triggered],
            paired=[shown[sheet.name] for sheet in sheets.paired] if clean else [],
            near=[shown[sheet.name] for sheet in sheets.near],
            ufe_per_image=ufe_per_image([metadata for metadata in records if metadata is not None]),
        )
