"""A drawing before it has a style: colored polygons on a ground, in a square of side 2.

Objects (:mod:`.objects`) make the polygons, styles (:mod:`.styles`) render them. Coordinates are in
units of half the object's size, x to the right, y down, origin at the object's center.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

SIDE = 128
"""Pixels a side at which styles render; the painter reduces the result to half."""

Color = tuple[int, int, int]
Points = Float[np.ndarray, "point 2"]
Picture = UInt8[np.ndarray, "h w 3"]


class Shape(NamedTuple):
    """One filled polygon."""

    points: Points
    fill: Color


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The content of a picture, the same in every style.

    Attributes:
        shapes: Polygons in pixels of the ``SIDE`` x ``SIDE`` picture, back to front.
        sky: Color behind the object.
        ground: Color of the strip under the horizon.
        horizon: Height of the horizon in pixels from the top.
    """

    shapes: tuple[Shape, ...]
    sky: Color
    ground: Color
    horizon: int

    def flat(self) -> Image.Image:
        """Return the picture in plain fills."""
        image = Image.new("RGB", (SIDE, SIDE), self.sky)
        pen = ImageDraw.Draw(image)
        pen.rectangle((0, self.horizon, SIDE, SIDE), fill=self.ground)
        for shape in self.shapes:
            pen.polygon(shape.points.ravel().tolist(), fill=shape.fill)
        return image

    def silhouette(self) -> Image.Image:
        """Return the object's mask: 255 inside any shape, 0 elsewhere."""
        mask = Image.new("L", (SIDE, SIDE), 0)
        pen = ImageDraw.Draw(mask)
        for shape in self.shapes:
            pen.polygon(shape.points.ravel().tolist(), fill=255)
        return mask

    def outlines(self, width: int, jitter: np.ndarray | None = None) -> Image.Image:
        """Return the visible outlines, 255 on the line; ``jitter`` [2] shifts them, in pixels."""
        mask = Image.new("L", (SIDE, SIDE), 0)
        pen = ImageDraw.Draw(mask)
        for shape in self.shapes:
            points = shape.points if jitter is None else shape.points + jitter
            closed = [tuple(point) for point in (*points, points[0])]
            pen.polygon(closed, fill=0)
            pen.line(closed, fill=255, width=width, joint="curve")
        return mask


def polygon(*points: tuple[float, float]) -> Points:
    """Return the corners as an array."""
    return np.array(points, dtype=np.float64)


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """Return an upright rectangle."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def ellipse(
    x: float, y: float, rx: float, ry: float, *, start: float = 0.0, stop: float = 360.0
) -> Points:
    """Return an ellipse, or the part of it between two angles in degrees (0 right, 90 down)."""
    angle = np.deg2rad(np.linspace(start, stop, 28, endpoint=stop - start < 360))
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def turned(points: Points, degrees: float, *, about: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Return the points turned clockwise on the screen about a center."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points - np.array(about)) @ matrix + np.array(about)
