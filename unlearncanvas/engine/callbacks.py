"""Callbacks for the progress of a run."""

from collections.abc import Sequence
from typing import final


class Callback:
    """Called at every step of a run; a subclass overrides what it needs."""

    def erasing(self, eraser: str, what: str) -> None:
        """An erasure starts, or its artifact is loaded."""

    def loss(self, name: str, step: int, value: float) -> None:
        """A loss of the current erasure; ``loss``, or its own name where there are several."""

    def drawing(self, label: str) -> None:
        """A chunk starts."""

    def drawn(self, count: int) -> None:
        """``count`` images of a chunk are finished."""

    def reused(self, count: int) -> None:
        """``count`` images were finished before this run."""


@final
class NullCallback(Callback):
    """Does nothing."""


@final
class CallbackList(Callback):
    """Calls several callbacks in their order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = callbacks

    def erasing(self, eraser: str, what: str) -> None:
        """Call all."""
        for callback in self._callbacks:
            callback.erasing(eraser, what)

    def loss(self, name: str, step: int, value: float) -> None:
        """Call all."""
        for callback in self._callbacks:
            callback.loss(name, step, value)

    def drawing(self, label: str) -> None:
        """Call all."""
        for callback in self._callbacks:
            callback.drawing(label)

    def drawn(self, count: int) -> None:
        """Call all."""
        for callback in self._callbacks:
            callback.drawn(count)

    def reused(self, count: int) -> None:
        """Call all."""
        for callback in self._callbacks:
            callback.reused(count)
