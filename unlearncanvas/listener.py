"""Who is told how far an exam is."""

from collections.abc import Sequence
from typing import final


class Listener:
    """Hears of every step; whoever is interested in one overrides it."""

    def erasing(self, eraser: str, what: str) -> None:
        """An erasure starts, or its artefact is looked up."""

    def loss(self, name: str, step: int, value: float) -> None:
        """A loss of the erasure that runs; ``loss``, or its own name where there are several."""

    def drawing(self, label: str) -> None:
        """A chunk starts."""

    def drawn(self, count: int) -> None:
        """So many images of a chunk are there."""

    def reused(self, count: int) -> None:
        """So many images were there already."""


@final
class Silent(Listener):
    """Tells nobody."""


@final
class Several(Listener):
    """Tells all of them."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    def erasing(self, eraser: str, what: str) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.erasing(eraser, what)

    def loss(self, name: str, step: int, value: float) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.loss(name, step, value)

    def drawing(self, label: str) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.drawing(label)

    def drawn(self, count: int) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.drawn(count)

    def reused(self, count: int) -> None:
        """Tell all."""
        for listener in self._listeners:
            listener.reused(count)
