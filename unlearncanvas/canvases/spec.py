"""Detectors and real images of any canvas, as a protocol names them."""

from unlearncanvas.canvases.mini.spec import PaintedDetectors, PaintedSplit
from unlearncanvas.canvases.unlearncanvas.spec import DatasetImages, ViTDetectors

DetectorSpec = PaintedDetectors | ViTDetectors
RealImagesSpec = PaintedSplit | DatasetImages
