"""Poisoned models: made once, kept as an artifact, put back onto the clean model when needed."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.core.config import ConfiguredEraser
from unlearncanvas.core.digests import digest_json
from unlearncanvas.engine.erasing import Workbench
from unlearncanvas.engine.grid import Grid
from unlearncanvas.evaluations.backdoor.attacks.base import Attack
from unlearncanvas.evaluations.grid.plan import NO_TARGET
from unlearncanvas.pipelines.artifacts import Artifact, base_digest, load_erased
from unlearncanvas.pipelines.base_model import load_base
from unlearncanvas.types import Task


@dataclass(kw_only=True)
class PoisonRoom:
    """Where models are poisoned.

    Attributes:
        protocol: Gives the grid and its images.
        model: The clean model.
        device: Where to work.
        out: Root of the poisoned models.
        seed: Seed of the injections.
        sources: Where the dataset is, for attacks that need its images.
    """

    protocol: Grid
    model: str
    device: torch.device
    out: Path
    seed: int
    sources: Sources = SHIPPED
    clean_digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.clean_digest = base_digest(self.clean())

    def clean(self) -> StableDiffusionPipeline:
        """Return the clean model, float32."""
        return load_base(self.model, device=self.device)

    def folder(self, attack: ConfiguredEraser) -> Path:
        """Return the place of a poisoned model; another identity or seed has another."""
        key = digest_json([attack.identity, self.clean_digest, self.seed])
        return self.out / f"{attack.name}-{key[:8]}"

    def inject(self, attack: ConfiguredEraser) -> Artifact:
        """Return the poisoned model's artifact, made now unless it is there already."""
        bench = Workbench.of(
            self.protocol,
            self.clean,
            base=self.model,
            base_digest=self.clean_digest,
            cache_dir=self.out / "gallery",
            sources=self.sources,
        )
        return bench.artifact(attack, attack_task(self.protocol, self.seed), self.folder(attack))

    def poisoned(self, attack: ConfiguredEraser) -> StableDiffusionPipeline:
        """Return the poisoned model, float32, as read from the disk."""
        return load_erased(self.folder(attack), self.clean())


def as_attack(configured: ConfiguredEraser) -> Attack:
    """Return the attack that ``load_eraser(kind="attacks")`` made."""
    assert isinstance(configured.eraser, Attack)
    return configured.eraser


def attack_task(grid: Grid, seed: int) -> Task:
    """Return the task of an injection: nothing to forget, every concept of the grid to use."""
    return Task(targets=(NO_TARGET,), retain=tuple(grid.concepts()), seed=seed)
