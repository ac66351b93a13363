"""Detectors and real images of the mini canvas, as a protocol names them."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from pydantic import Field

from unlearncanvas.canvases.canvas import CanvasDetectors, CanvasImages
from unlearncanvas.canvases.mini.files import DetectorFile
from unlearncanvas.core.registry import choose
from unlearncanvas.types import Domain

if TYPE_CHECKING:
    import torch

    from unlearncanvas.canvases.detectors import Detectors
    from unlearncanvas.canvases.mini.images import PaintedImages
    from unlearncanvas.canvases.sources import Sources


@final
class PaintedDetectors(CanvasDetectors):
    """The two detectors of the mini canvas, and the base models they were made for.

    Attributes:
        style: Style detector.
        object: Object detector.
        base_digests: Digests of the base models that they can judge.
    """

    style: DetectorFile
    object: DetectorFile
    base_digests: tuple[str, ...] = Field(min_length=1)

    def load(self, device: "torch.device", sources: "Sources") -> "Detectors":
        """Return the detectors, whose weights the package ships.

        Raises:
            ValueError: If they are not the ones named.
        """
        from unlearncanvas.canvases.detectors import Detectors
        from unlearncanvas.canvases.mini.detector import PaintedDetector

        return Detectors(
            PaintedDetector(self.style, device),
            PaintedDetector(self.object, device),
            identity=self.plain(),
            base_digests=self.base_digests,
        )

    def names(self, domain: Domain) -> tuple[str, ...]:
        """Return the names of a detector's probabilities in their order."""
        file = self.style if domain == "style" else self.object
        return tuple(_architecture(file)["names"])

    def row_widths(self) -> tuple[int, int]:
        """Return the width of both last layers together, and the number of names."""
        known = [_architecture(file) for file in (self.style, self.object)]
        return sum(one["channels"][-1] for one in known), sum(len(one["names"]) for one in known)


def _architecture(file: DetectorFile) -> dict[str, Any]:
    """Widths and names of a detector that the package ships."""
    from unlearncanvas.canvases.mini.architecture import DETECTORS

    return DETECTORS[choose("detector", file.name, DETECTORS)]


@final
class PaintedSplit(CanvasImages):
    """Real images: a split of the painter, never trained on."""

    cached: ClassVar[bool] = False  # faster to paint than to read

    split: str

    def open(self, sources: "Sources") -> "PaintedImages":
        """Return the images, painted when they are asked for."""
        from unlearncanvas.canvases.mini.images import PaintedImages

        return PaintedImages(split=self.split)
