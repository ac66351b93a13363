"""The list of canvases: detectors and real images that a protocol's file can name."""

from unlearncanvas.canvases.mini.spec import PaintedDetectors, PaintedSplit
from unlearncanvas.canvases.unlearncanvas.spec import DatasetImages, ViTDetectors

DetectorSpec = PaintedDetectors | ViTDetectors
RealImagesSpec = PaintedSplit | DatasetImages
