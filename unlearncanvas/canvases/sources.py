"""What a protocol needs and the package may not ship: real images, detectors, Inception."""

from dataclasses import dataclass
from pathlib import Path

from unlearncanvas.canvases.mini.spec import PaintedSplit
from unlearncanvas.canvases.real_images import PaintedImages, RealImageSource
from unlearncanvas.canvases.spec import RealImagesSpec
from unlearncanvas.canvases.unlearncanvas.dataset import open_dataset, require_dataset


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the user keeps it: folders, or names on the Hub; None for the protocol's own place.

    Attributes:
        detectors: Folder of the detectors' weights.
        dataset: UnlearnCanvas: the folders ``style/object/index.jpg``, or parquet files.
        inception: Folder of the Inception weights for FID and KID.
    """

    detectors: str | None = None
    dataset: str | None = None
    inception: str | None = None

    def __post_init__(self) -> None:
        """Refuse a folder that is not there.

        Raises:
            ValueError: Naming the option.
        """
        for option in ("detectors", "inception"):
            where = getattr(self, option)
            if where is not None and not (where and Path(where).expanduser().is_dir()):
                raise ValueError(f"--{option} {where}: no such folder")
        if self.dataset is not None:
            require_dataset(self.dataset)

    def real_images(self, part: RealImagesSpec) -> RealImageSource:
        """Return the source of a protocol's real images.

        Raises:
            ValueError: If the dataset is needed and not there.
        """
        if isinstance(part, PaintedSplit):
            return PaintedImages(split=part.split)
        if self.dataset is None:
            raise ValueError(
                "real images are needed: get the dataset (Hub: OPTML-Group/UnlearnCanvas, 77 GB) "
                "and name its folder with --dataset"
            )
        return open_dataset(self.dataset, part.indices)


SHIPPED = Sources()
"""Nothing but what the package ships: enough for the mini canvas."""
