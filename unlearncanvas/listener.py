"""Who is told how far an exam is."""

from abc import ABC, abstractmethod
from typing import final


class Listener(ABC):
    """Hears of every step."""

    @abstractmethod
    def erasing(self, label: str) -> None:
        """An erasure starts."""

    @abstractmethod
    def drawing(self, label: str) -> None:
        """A chunk starts."""

    @abstractmethod
    def drawn(self, count: int) -> None:
        """So many images of a chunk are there."""

    @abstractmethod
    def reused(self, count: int) -> None:
        """So many images were there already."""


@final
class Silent(Listener):
    """Tells nobody."""

    def erasing(self, label: str) -> None:
        """Say nothing."""

    def drawing(self, label: str) -> None:
        """Say nothing."""

    def drawn(self, count: int) -> None:
        """Say nothing."""

    def reused(self, count: int) -> None:
        """Say nothing."""
