"""The parts of a protocol, as its YAML file spells them."""

from typing import Literal

from pydantic import Field

from unlearncanvas.core.fields import Frozen, Names
from unlearncanvas.types import Concept


class Targets(Frozen):
    """Names by kind."""

    style: Names = ()
    object: Names = ()

    def concepts(self) -> list[Concept]:
        """Return them as concepts, styles first."""
        return [Concept(kind="style", name=name) for name in self.style] + [
            Concept(kind="object", name=name) for name in self.object
        ]


class Anchors(Frozen):
    """Anchors of targets: a style by name, the ``next`` object of the list."""

    style: str
    object: Literal["next"]


class Tier(Frozen):
    """A part of the protocol.

    Attributes:
        targets: Targets; None is all.
        num_seeds: The first seeds of the list; None is all.
        styles: Styles of the grid; None is all.
        objects: Objects of the grid; None is all.
    """

    targets: Targets | None = None
    num_seeds: int | None = Field(default=None, ge=1)
    styles: Names | None = Field(default=None, min_length=2)
    objects: Names | None = Field(default=None, min_length=2)
