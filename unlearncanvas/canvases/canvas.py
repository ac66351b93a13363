"""What a canvas gives to a protocol: detectors, and real images, both named in its YAML file."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from unlearncanvas.core.fields import Frozen
from unlearncanvas.types import Domain

if TYPE_CHECKING:
    import torch

    from unlearncanvas.canvases.detectors import Detectors
    from unlearncanvas.canvases.real_images import RealImageSource
    from unlearncanvas.canvases.sources import Sources


class CanvasDetectors(Frozen, ABC):
    """The style and the object detector of a canvas."""

    @abstractmethod
    def load(self, device: "torch.device", sources: "Sources") -> "Detectors":
        """Return the detectors, ready to detect.

        Raises:
            ValueError: If their weights are missing, damaged or not the ones named.
        """

    @abstractmethod
    def names(self, domain: Domain) -> tuple[str, ...]:
        """Return the names of a detector's probabilities in their order, without weights."""

    @abstractmethod
    def row_widths(self) -> tuple[int, int]:
        """Return how many features and how many probabilities an image has, without weights."""


class CanvasImages(Frozen, ABC):
    """A part of the real images of a canvas.

    Attributes:
        cached: Whether features of them are kept on disk, being slower to make than to read.
    """

    cached: ClassVar[bool]

    @abstractmethod
    def open(self, sources: "Sources") -> "RealImageSource":
        """Return the images.

        Raises:
            ValueError: If they are needed from the user and not given.
        """
