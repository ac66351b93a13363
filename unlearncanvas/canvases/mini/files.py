"""How a protocol names a detector of the mini canvas."""

from unlearncanvas.core.fields import Frozen


class DetectorFile(Frozen):
    """A detector of the mini canvas: its name and the sha256 of its weights."""

    name: str
    sha256: str
