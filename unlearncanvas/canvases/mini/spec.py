"""Detectors and real images of the mini canvas, as a protocol names them."""

from pydantic import Field

from unlearncanvas.core.fields import Frozen


class DetectorFile(Frozen):
    """A detector of the mini canvas: its name and the sha256 of its weights."""

    name: str
    sha256: str


class PaintedDetectors(Frozen):
    """The two detectors of the mini canvas, and the base models they were made for.

    Attributes:
        style: Style detector.
        object: Object detector.
        base_digests: Digests of the base models that they can judge.
    """

    style: DetectorFile
    object: DetectorFile
    base_digests: tuple[str, ...] = Field(min_length=1)


class PaintedSplit(Frozen):
    """Real images: a split of the painter, never trained on."""

    split: str
