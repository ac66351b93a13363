"""Detectors and real images of UnlearnCanvas, as a protocol names them."""

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


class ViTDetectors(Frozen):
    """The two classifiers of UnlearnCanvas. Digests of its base models were never published.

    Attributes:
        architecture: Model name in timm.
        image_size: Pixels that every image is squashed to.
        source: Where the files are, unless the user says: ``owner/name/folder`` on the Hub.
        style: Style classifier.
        object: Object classifier.
        base_accuracy: Percent of the base model's images that each must recognise; a model that it
            was not made for stays below.
    """

    architecture: str
    image_size: int = Field(ge=16)
    source: str
    style: LabelledFile
    object: LabelledFile
    base_accuracy: float = Field(ge=0, le=100)


class DatasetImages(Frozen):
    """Real images: some of each cell's in the UnlearnCanvas dataset, 1 to 20, in this order."""

    indices: tuple[int, ...] = Field(min_length=1)
