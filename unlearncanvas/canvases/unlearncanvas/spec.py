"""Detectors and real images of UnlearnCanvas, as a protocol names them."""

from typing import TYPE_CHECKING, ClassVar, final

from pydantic import Field

from unlearncanvas.canvases.canvas import CanvasDetectors, CanvasImages
from unlearncanvas.canvases.unlearncanvas.files import LabelledFile
from unlearncanvas.types import Domain

if TYPE_CHECKING:
    import torch

    from unlearncanvas.canvases.detectors import Detectors
    from unlearncanvas.canvases.real_images import RealImageSource
    from unlearncanvas.canvases.sources import Sources


@final
class ViTDetectors(CanvasDetectors):
    """The two classifiers of UnlearnCanvas. Digests of its base models were never published.

    Attributes:
        architecture: Model name in timm.
        image_size: Pixels that every image is squashed to.
        source: Where the files are, unless the user says: ``owner/name/folder`` on the Hub.
        style: Style classifier.
        object: Object classifier.
        base_accuracy: Percent of the base model's images that each must recognize; a model that it
            was not made for stays below.
    """

    architecture: str
    image_size: int = Field(ge=16)
    source: str
    style: LabelledFile
    object: LabelledFile
    base_accuracy: float = Field(ge=0, le=100)

    def load(self, device: "torch.device", sources: "Sources") -> "Detectors":
        """Return the classifiers, from the user's folder or from the Hub.

        Raises:
            ValueError: If their weights are missing, damaged or of the other classifier.
        """
        from unlearncanvas.canvases.detectors import Detectors
        from unlearncanvas.canvases.unlearncanvas.vit_detector import ViTDetector, find_weights

        style, obj = (
            ViTDetector(
                file,
                find_weights(file, self.source, sources.detectors),
                device,
                architecture=self.architecture,
                image_size=self.image_size,
            )
            for file in (self.style, self.object)
        )
        return Detectors(
            style,
            obj,
            identity={**self.plain(), "sha256": [style.sha256, obj.sha256]},
            base_accuracy=self.base_accuracy,
        )

    def names(self, domain: Domain) -> tuple[str, ...]:
        """Return the labels of a classifier."""
        return (self.style if domain == "style" else self.object).labels

    def row_widths(self) -> tuple[int, int]:
        """Return the width of both last layers together, and the number of names."""
        import timm
        import torch

        with torch.device("meta"):
            model = timm.create_model(self.architecture, img_size=self.image_size)
        return 2 * model.num_features, len(self.style.labels) + len(self.object.labels)


@final
class DatasetImages(CanvasImages):
    """Real images: some of each cell's in the UnlearnCanvas dataset, 1 to 20, in this order."""

    cached: ClassVar[bool] = True

    indices: tuple[int, ...] = Field(min_length=1)

    def open(self, sources: "Sources") -> "RealImageSource":
        """Return the images of the user's dataset.

        Raises:
            ValueError: If the user has not said where it is.
        """
        from unlearncanvas.canvases.unlearncanvas.dataset import open_dataset

        if sources.dataset is None:
            raise ValueError(
                "real images are needed: get the dataset (Hub: OPTML-Group/UnlearnCanvas, 77 GB) "
                "and name its folder with --dataset"
            )
        return open_dataset(sources.dataset, self.indices)
