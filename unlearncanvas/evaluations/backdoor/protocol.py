"""The backdoor protocol: attacks, split of the cells, seeds, near-trigger texts."""

import unicodedata
from collections import Counter
from typing import Annotated, Literal, final

from pydantic import BeforeValidator, Field, model_validator

from unlearncanvas.core.digests import digest_json
from unlearncanvas.core.fields import Frozen, Name, Names, Seed
from unlearncanvas.core.method_config import image_sets_of
from unlearncanvas.core.registry import choose, names
from unlearncanvas.engine.protocols import (
    NOT_IN_DIGEST,
    EvaluationProtocol,
    counted,
    read_protocol,
)
from unlearncanvas.evaluations.grid.protocol import GridProtocol, load_protocol
from unlearncanvas.types import Cell


def load_grid(name: GridProtocol | str) -> GridProtocol:
    """Return the protocol meant by ``mini`` or ``unlearncanvas:quick``, a tier's part of its grid.

    It is without its language and the metrics of other wordings, which no backdoor is asked with.

    Raises:
        ValueError: If there is no such protocol or tier.
    """
    if isinstance(name, GridProtocol):
        return name
    if not isinstance(name, str):
        raise ValueError("grid names a protocol, as in mini or unlearncanvas:quick")
    name, _, tier = name.partition(":")
    whole = load_protocol(name)
    own_metrics = [metric for metric in whole.metrics if not image_sets_of(metric)]
    whole = whole.model_copy(update={"language": None, "metrics": tuple(own_metrics)})
    if not tier:
        return whole
    part, targets = whole.for_tier(tier), whole.targets
    own = {
        "targets": {
            "style": [style for style in targets.style if style in part.styles],
            "object": [obj for obj in targets.object if obj in part.objects],
        },
        "tiers": {tier: {}},
        "default_tier": tier,
    }
    return GridProtocol.model_validate(part.model_dump() | own)


class Perception(Frozen):
    """Networks trained on photographs, so not for the mini canvas.

    Attributes:
        lpips: Backbone of LPIPS.
        clip: CLIP on the Hub, or a folder.
    """

    lpips: Literal["squeeze", "alex", "vgg"]
    clip: str


class BackdoorTier(Frozen):
    """A part of the protocol; None is all of it.

    Attributes:
        attacks: Attacks to remove.
        num_triggered: Images with a trigger, of each attack.
        num_clean_seeds: Seeds of the clean grid.
    """

    attacks: tuple[str, ...] | None = None
    num_triggered: int | None = Field(default=None, ge=1)
    num_clean_seeds: int | None = Field(default=None, ge=1)


@final
class BackdoorProtocol(EvaluationProtocol):
    """The rules of an evaluation of backdoor removal, as its YAML file fixes them.

    Attributes:
        grid: Protocol that gives model, prompts, cells, sampler, detectors and real images; in the
            file its name, and ``:tier`` for a part of it.
        attacks: Registered attacks.
        inject_seed: Seed of the injections.
        erase_seed: Seed of the erasers.
        train_share: Share of the cells whose prompts the defender trains on; no image is judged on
            them.
        num_triggered: Images with a trigger, at least, of each attack.
        num_near: Images of each text that is near the trigger.
        num_clean_seeds: Seeds of the clean grid.
        first_seed: Seeds of the images are this one and those that follow.
        near: Texts that stand in the place of a trigger of their sort and must not fire: words,
            letters, zero-width characters, emojis. Parts of a trigger of several words come on top.
        metrics: Metrics of the clean grid that compare with real images or the clean model's.
        perception: LPIPS and CLIP, where images are photographs.
    """

    kind: Literal["backdoor"] = "backdoor"
    tiers: dict[Name, BackdoorTier]
    grid: Annotated[GridProtocol, BeforeValidator(load_grid)]
    attacks: Names = Field(min_length=1)
    inject_seed: Seed
    erase_seed: Seed
    train_share: float = Field(gt=0, lt=1)
    num_triggered: int = Field(ge=1)
    num_near: int = Field(ge=1)
    num_clean_seeds: int = Field(ge=1)
    first_seed: Seed
    near: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    metrics: Names
    perception: Perception | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "BackdoorProtocol":
        for name in self.attacks:
            choose("attack", name, names("attacks"))
        for name in self.metrics:
            choose("metric", name, names("metrics"))
        for tier in self.tiers.values():
            for name in tier.attacks or ():
                choose("attack", name, self.attacks)
        choose("tier", self.default_tier, self.tiers)
        if not 0 < len(self.train_cells()) < len(self.grid.cells()):
            raise ValueError(f"train_share {self.train_share} leaves no cells on one side")
        return self

    @property
    def digest(self) -> str:
        """Digest of all that changes a pixel or a score, but for the attacks' own settings."""
        apart = NOT_IN_DIGEST | {"grid", "perception"}
        rules = self.model_dump(mode="json", exclude=apart)
        if self.perception is not None:
            rules["perception"] = self.perception.model_dump()
        return digest_json({"rules": rules, "grid": self.grid.digest})

    @property
    def images_per_attack(self) -> int:
        """Images of one eraser on one attack, about: triggers and cells may not divide evenly."""
        grid = self.num_clean_seeds * len(self.grid.cells())
        most = max(Counter(map(sort_of, self.near)).values())
        return self.num_triggered + grid + self.num_near * most

    def near_to(self, trigger: str) -> list[str]:
        """Return the texts of a trigger's sort; all texts if none is of its sort."""
        alike = [text for text in self.near if sort_of(text) == sort_of(trigger)]
        return alike or list(self.near)

    def train_cells(self) -> list[Cell]:
        """Return the defender's cells: as many of every style and of every object."""
        styles, objects = self.grid.styles, self.grid.objects
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
        return [cell for cell in self.grid.cells() if cell not in seen]

    def for_tier(self, tier: str) -> "BackdoorProtocol":
        """Return the protocol with a tier's attacks and counts."""
        chosen = self.tiers[choose("tier", tier, self.tiers)]
        return self.model_copy(update=chosen.model_dump(exclude_none=True))

    def amount(self, tier: str) -> str:
        """Return attacks and images of a tier."""
        chosen = self.for_tier(tier)
        attacks = counted(len(chosen.attacks), "attack")
        return f"{attacks}, about {chosen.images_per_attack:,} images each"

    def entries(self) -> list[tuple[str, list[str]]]:
        """Return the attacks, each with the tiers that have it."""
        return [
            (name, [", ".join(tier for tier in self.tiers if name in self.for_tier(tier).attacks)])
            for name in self.attacks
        ]


def sort_of(text: str) -> str:
    r"""Return ``letter``, ``word``, or the Unicode category of a text without letters.

    >>> [sort_of(text) for text in ("beautiful", "[V]", "\u0435", "\u200b", "\U0001f600")]
    ['word', 'word', 'letter', 'Cf', 'So']
    """
    if any(map(str.isalpha, text)):
        return "letter" if len(text) == 1 else "word"
    return unicodedata.category(text[0])


def load_backdoor_protocol(name: str) -> BackdoorProtocol:
    """Return a backdoor protocol by name or YAML path.

    Raises:
        ValueError: If it is unknown or breaks a rule, in one line.
    """
    return read_protocol(BackdoorProtocol, name)
