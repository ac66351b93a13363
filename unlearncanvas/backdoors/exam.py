"""The backdoor exam: poison, remove, draw, judge; what is done already is kept."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from unlearncanvas.backdoors.assess import CLEAN, POISONED, Drawn, assess
from unlearncanvas.backdoors.drawing import SheetDrawer, read_shown
from unlearncanvas.backdoors.perception import open_judges
from unlearncanvas.backdoors.plan import BackdoorPlan, Sheets
from unlearncanvas.backdoors.poison import PoisonRoom, as_attack
from unlearncanvas.backdoors.results import (
    AttackResults,
    BackdoorResults,
    write_backdoor_results,
)
from unlearncanvas.backdoors.sheets import removal_task
from unlearncanvas.chunks import ufe_per_image
from unlearncanvas.config import ConfiguredEraser
from unlearncanvas.erasing import Workbench
from unlearncanvas.eyes import open_eyes
from unlearncanvas.listener import Listener
from unlearncanvas.models import Artefact, base_digest
from unlearncanvas.reference import open_reference
from unlearncanvas.results import Asked, drawing_asked, environment
from unlearncanvas.score import check_base
from unlearncanvas.studio import Studio
from unlearncanvas.tuning import tuned
from unlearncanvas.types import Task
from unlearncanvas.ufe import Counted, counted

Lend = Callable[[], AbstractContextManager[Counted]]


@dataclass(kw_only=True)
class BackdoorExam:
    """One run of a plan."""

    plan: BackdoorPlan
    listener: Listener

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
        self._eyes = open_eyes(rules, plan.device, plan.sources)
        if not plan.any_base:
            self._eyes.accept(plan.model, self._room.clean_digest)
        self._real = open_reference(rules, self._eyes, plan.sources, plan.root / "reference")
        self._judges = open_judges(plan.protocol, plan.device)
        self._drawer = SheetDrawer(
            protocol=rules,
            eyes=self._eyes,
            device=plan.device,
            on_batch=self.listener.drawn,
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
            asked=Asked(
                tier=plan.counts,
                any_base=plan.any_base,
                **drawing_asked(plan.protocol.grid.sampler, plan.erasers),
            ),
        )
        write_backdoor_results(plan.run_folder(), results)
        return results

    def _attack(self, attack: ConfiguredEraser) -> AttackResults:
        """Poison one model, and have every eraser mend it."""
        plan, room = self.plan, self._room
        self.listener.erasing("inject", attack.name)
        made = {POISONED: room.inject(attack)}
        digest = base_digest(room.poisoned(attack))
        sheets, place = plan.sheets(as_attack(attack)), room.folder(attack)
        drawn = {
            CLEAN: self._draw(
                f"{CLEAN} {attack.name}", lambda: counted(tuned(room.clean(), self._sampler)),
                folder=plan.root / "clean" / place.name, digest=room.clean_digest,
                sheets=sheets, clean=True,
            ),
            POISONED: self._draw(
                f"{POISONED} {attack.name}",
                lambda: counted(tuned(room.poisoned(attack), self._sampler)),
                folder=place, digest=digest, sheets=sheets, clean=False,
            ),
        }  # fmt: skip
        if not plan.any_base:
            answers = drawn[CLEAN].clean.answers
            check_base(answers, model=plan.model, wanted=self._eyes.base_accuracy)
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
        sheets: Sheets,
        made: dict[str, Artefact],
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
            on_loss=self.listener.loss,
        )
        for eraser in plan.erasers:
            label = f"{eraser.name} {attack.name}"
            self.listener.erasing(eraser.name, attack.name)
            folder = plan.eraser_folder(eraser) / self._room.folder(attack).name
            artefact = bench.artefact(eraser, self._task(attack, eraser), folder)
            made[eraser.name] = artefact
            drawn[eraser.name] = self._draw(
                label, partial(studio.erased, folder),
                folder=folder, digest=f"{artefact.digest} {artefact.tensors_digest}",
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
        self, label: str, lend: Lend, *, folder: Path, digest: str, sheets: Sheets, clean: bool
    ) -> Drawn:
        """Return what a model draws for an attack; it is lent only if something is missing."""
        todo = {
            sheet.name: self._drawer.portions(sheet, folder, digest)
            for sheet in sheets.of_model(clean=clean)
        }
        portions = [portion for found in todo.values() for portion in found]
        missing = [portion for portion in portions if portion.chunk.seal() is None]
        there = [portion for portion in portions if portion not in missing]
        self.listener.reused(sum(len(portion.requests) for portion in there))
        if missing:
            self.listener.drawing(label)
            with lend() as lent:
                for portion in missing:
                    self._drawer.draw(lent, portion)
        seals = [portion.chunk.seal() for portion in portions]
        shown = {name: read_shown(found) for name, found in todo.items()}
        return Drawn(
            clean=shown["clean"],
            triggered=[shown[sheet.name] for sheet in sheets.triggered],
            paired=[shown[sheet.name] for sheet in sheets.paired] if clean else [],
            near=[shown[sheet.name] for sheet in sheets.near],
            ufe_per_image=ufe_per_image([seal for seal in seals if seal is not None]),
        )
