"""How a protocol names a classifier of UnlearnCanvas."""

from pydantic import Field

from unlearncanvas.core.fields import Frozen


class LabelledFile(Frozen):
    """A classifier's weights, and what its outputs mean.

    Attributes:
        file: Name of the file, ``.pth`` or ``.safetensors``.
        labels: Names in the order of the outputs.
    """

    file: str
    labels: tuple[str, ...] = Field(min_length=2)
