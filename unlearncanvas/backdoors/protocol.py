"""The fixed rules of the backdoor exam: attacks, split of the cells, seeds, near-trigger texts."""

from functools import cached_property

from pydantic import Field, model_validator

from unlearncanvas.config import choose, find_config, names, read_yaml
from unlearncanvas.digest import digest_json
from unlearncanvas.protocol import NOT_IN_DIGEST, Protocol, load_protocol, read_protocol
from unlearncanvas.protocol_parts import Frozen
from unlearncanvas.types import Cell


class BackdoorTier(Frozen):
    """A part of the exam; None is all of it.

    Attributes:
        attacks: Attacks to remove.
        num_triggered: Images with a trigger, of each attack.
        num_clean_seeds: Seeds of the clean grid.
    """

    attacks: tuple[str, ...] | None = None
    num_triggered: int | None = Field(default=None, ge=1)
    num_clean_seeds: int | None = Field(default=None, ge=1)


class BackdoorProtocol(Frozen):
    """An exam in removing backdoors, as its YAML file fixes it.

    Attributes:
        grid: Protocol that gives model, prompts, cells, sampler, detectors and real images.
        attacks: Registered attacks.
        inject_seed: Seed of the injections.
        erase_seed: Seed of the erasers.
        train_share: Share of the cells whose prompts the defender trains on; no image is judged on
            them.
        num_triggered: Images with a trigger, at least, of each attack.
        num_near: Images of each text that is near the trigger.
        num_clean_seeds: Seeds of the clean grid.
        first_seed: Seeds of the images are this one and those that follow.
        near: Texts that stand in the trigger's place and must not fire; parts of a trigger of
            several words come on top.
        metrics: Metrics of the clean grid that compare with real images.
    """

    name: str
    title: str
    grid: str
    attacks: tuple[str, ...] = Field(min_length=1)
    inject_seed: int
    erase_seed: int
    train_share: float = Field(gt=0, lt=1)
    num_triggered: int = Field(ge=1)
    num_near: int = Field(ge=1)
    num_clean_seeds: int = Field(ge=1)
    first_seed: int = Field(ge=0)
    near: tuple[str, ...] = Field(min_length=1)
    metrics: tuple[str, ...]
    default_tier: str
    tiers: dict[str, BackdoorTier]

    @model_validator(mode="after")
    def _consistent(self) -> "BackdoorProtocol":
        for name in self.attacks:
            choose("attack", name, names("attacks"))
        for tier in self.tiers.values():
            for name in tier.attacks or ():
                choose("attack", name, self.attacks)
        choose("tier", self.default_tier, self.tiers)
        if not 0 < len(self.train_cells()) < len(self.rules.cells()):
            raise ValueError(f"train_share {self.train_share} leaves no cells on one side")
        return self

    @cached_property
    def rules(self) -> Protocol:
        """The protocol that gives model, cells, prompts, sampler and detectors."""
        return load_protocol(self.grid)

    @cached_property
    def digest(self) -> str:
        """Digest of all that changes a pixel or a score, but for the attacks' own settings."""
        return digest_json(
            {
                "rules": self.model_dump(mode="json", exclude=NOT_IN_DIGEST | {"grid"}),
                "grid": self.rules.digest,
            }
        )

    @property
    def images_per_attack(self) -> int:
        """Images of one eraser on one attack, about: triggers and cells may not divide evenly."""
        grid = self.num_clean_seeds * len(self.rules.cells())
        return self.num_triggered + grid + self.num_near * len(self.near)

    def train_cells(self) -> list[Cell]:
        """Return the defender's cells: as many of every style and of every object."""
        styles, objects = self.rules.styles, self.rules.objects
        chosen = round(self.train_share * len(objects))
        return [
            Cell(style=style, object=obj)
            for row, style in enumerate(styles)
            for column, obj in enumerate(objects)
            if (row + column) % len(objects) < chosen
        ]

    def test_cells(self) -> list[Cell]:
        """Return the cells that the triggered images are drawn and judged on."""
        seen = set(self.train_cells())
        return [cell for cell in self.rules.cells() if cell not in seen]

    def for_tier(self, tier: str) -> "BackdoorProtocol":
        """Return the protocol with a tier's attacks and counts."""
        chosen = self.tiers[choose("tier", tier, self.tiers)]
        return self.model_copy(update=chosen.model_dump(exclude_none=True))


def is_backdoor(name: str) -> bool:
    """Whether a protocol, by name or path, is one of this kind."""
    return "attacks" in read_yaml(find_config("protocols", name))


def load_backdoor_protocol(name: str) -> BackdoorProtocol:
    """Return a backdoor protocol by name or YAML path.

    Raises:
        ValueError: If it is unknown or breaks a rule, in one line.
    """
    return read_protocol(BackdoorProtocol, name)
