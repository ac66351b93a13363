"""What one call of the backdoor exam will do, decided before anything is loaded."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.core.config import ConfiguredEraser
from unlearncanvas.core.digests import digest_json
from unlearncanvas.evaluations.backdoor.attacks.base import Attack
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.evaluations.backdoor.protocol import BackdoorProtocol
from unlearncanvas.evaluations.backdoor.sheets import (
    ImageSet,
    clean_sheet,
    near_sheets,
    paired_sheet,
    triggered_sheet,
)
from unlearncanvas.results.run_config import RunConfig

if TYPE_CHECKING:
    import torch

Knowledge = Literal["exact", "neighbour"]


@dataclass(frozen=True, kw_only=True)
class ImageSets:
    """All that is drawn for one attack.

    Attributes:
        clean: The grid without triggers.
        triggered: One a backdoor.
        paired: Their clean prompts, for the clean model alone.
        near: One a near-trigger text.
    """

    clean: ImageSet
    triggered: tuple[ImageSet, ...]
    paired: tuple[ImageSet, ...]
    near: tuple[ImageSet, ...]

    def of_model(self, *, clean: bool) -> list[ImageSet]:
        """Return what a model draws; the clean one draws the pairs too."""
        return [self.clean, *self.triggered, *self.near, *(self.paired if clean else ())]


@dataclass(frozen=True, kw_only=True)
class BackdoorPlan:
    """All of a run.

    Attributes:
        config: The options that decide its numbers, as results store them.
        protocol: The rules, with a tier's counts.
        whole: The rules without a tier; their digest names the exam.
        model: The clean model.
        tier: Name of the tier, or ``custom``.
        counts: Tier that gives the counts.
        attacks: What was done to the model.
        erasers: What is to undo it.
        known: Share of the triggers that the defender knows; at least one.
        knowledge: ``exact``, or ``neighbour``: a near text in the place of each trigger.
        device: Where to run.
        sources: Where detectors, dataset and Inception are.
        skip_base_check: Go on with a base model that the detectors do not recognise.
        out: Root of the run folders.
    """

    config: RunConfig
    protocol: BackdoorProtocol
    whole: BackdoorProtocol
    model: str
    tier: str
    attacks: tuple[ConfiguredEraser, ...]
    erasers: tuple[ConfiguredEraser, ...]
    known: float
    knowledge: Knowledge
    device: "torch.device"
    sources: Sources = SHIPPED
    skip_base_check: bool = False
    out: Path
    counts: str | None = None

    @property
    def limited(self) -> bool:
        """Whether attacks or images of the whole exam are left out."""
        return self.protocol != self.whole

    @property
    def root(self) -> Path:
        """Everything of this protocol."""
        return self.out / self.protocol.name

    def run_folder(self) -> Path:
        """Return where the table, the pictures and ``results.json`` go.

        Another identity, knowledge, base model or protocol digest has another folder.
        """
        names = "+".join(eraser.name for eraser in self.erasers)
        digest = digest_json(
            [
                [[item.name, item.identity] for item in items]
                for items in (self.attacks, self.erasers)
            ]
            + [self.known, self.knowledge, self.model, self.whole.digest]
        )
        return self.root / f"{names}-{digest[:8]}" / self.tier

    def eraser_folder(self, eraser: ConfiguredEraser) -> Path:
        """Return an eraser's folder; another identity or knowledge has another one."""
        digest = digest_json([eraser.identity, self.known, self.knowledge])
        return self.root / f"{eraser.name}-{digest[:8]}"

    def sheets(self, attack: Attack) -> ImageSets:
        """Return what is drawn for an attack."""
        triggered = tuple(
            triggered_sheet(self.protocol, attack, index) for index in range(len(attack.backdoors))
        )
        return ImageSets(
            clean=clean_sheet(self.protocol),
            triggered=triggered,
            paired=tuple(paired_sheet(self.protocol, sheet) for sheet in triggered),
            near=tuple(near_sheets(self.protocol, attack)),
        )

    def num_known(self, attack: Attack) -> int:
        """Return how many of an attack's triggers the defender knows."""
        return max(1, math.floor(self.known * len(attack.backdoors)))

    def known_to_defender(self, attack: Attack) -> list[Backdoor]:
        """Return the triggers as the defender has them: the first ones, or texts near them.

        Raises:
            ValueError: If the protocol has too few texts near them.
        """
        known = attack.backdoors[: self.num_known(attack)]
        if self.knowledge == "exact":
            return list(known)
        triggers = {backdoor.trigger for backdoor in attack.backdoors}
        near = [text for text in self.protocol.near if text not in triggers]
        if len(near) < len(known):
            raise ValueError(
                f"{len(known)} triggers need as many texts near them, the protocol has {len(near)}"
            )
        return [
            replace(backdoor, trigger=text) for backdoor, text in zip(known, near, strict=False)
        ]

    def num_images(self) -> int:
        """Return the images of the whole run."""
        from unlearncanvas.evaluations.backdoor.poison import as_attack

        total = 0
        for attack in map(as_attack, self.attacks):
            sheets = self.sheets(attack)
            total += sum(map(len, sheets.of_model(clean=True)))
            total += (1 + len(self.erasers)) * sum(map(len, sheets.of_model(clean=False)))
        return total
