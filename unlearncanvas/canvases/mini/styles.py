"""The twelve styles: each a function from a scene and a random generator to a picture.

Pictures are ``SIDE`` x ``SIDE``, uint8 in [0, 255].

A style keeps what the object is and replaces how it is drawn, so that the same drawing in two
styles is paired, as in UnlearnCanvas. ``Photo`` is the plain style, the counterpart of its seed
images.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from scipy import ndimage, spatial

from unlearncanvas.canvases.mini.scene import SIDE, Picture, Scene

Rng = np.random.Generator
Floats = np.ndarray[Any, np.dtype[Any]]


@cache
def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every pixel, float [SIDE, SIDE] each."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return rows, columns


def _bytes(values: Floats) -> UInt8[np.ndarray, "... 3"]:
    return values.clip(0, 255).astype(np.uint8)


def _luminance(scene: Scene) -> np.ndarray:
    """Brightness of the flat picture, float in [0, 1]."""
    return np.asarray(scene.flat().convert("L"), dtype=np.float32) / 255


def _noise(rng: Rng, cells: int, scale: float) -> Floats:
    """Smooth noise [SIDE, SIDE] of about ``cells`` bumps a side and height ``scale``."""
    coarse = rng.normal(size=(cells, cells)).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return scale * np.asarray(smooth)


def _displaced(image: np.ndarray, rng: Rng, cells: int, scale: float) -> np.ndarray:
    """Move every pixel by smooth noise, in pixels: a wobbling hand."""
    rows, columns = _grid()
    row = (rows + _noise(rng, cells, scale)).clip(0, SIDE - 1).astype(np.intp)
    column = (columns + _noise(rng, cells, scale)).clip(0, SIDE - 1).astype(np.intp)
    return image[row, column]


def _paper(rng: Rng, color: tuple[int, int, int], grain: float) -> np.ndarray:
    """A sheet with grain, float [SIDE, SIDE, 3]."""
    grains = rng.normal(scale=grain, size=(SIDE, SIDE, 1)).astype(np.float32)
    return np.array(color, dtype=np.float32) + grains


def photo(scene: Scene, rng: Rng) -> Picture:
    """Soft light from one side, a cast shadow, a gradient in the sky."""
    rows, columns = _grid()
    mask = scene.silhouette()
    shadow = ImageChops.offset(mask, 5, 6).filter(ImageFilter.BoxBlur(5))
    flat = np.asarray(scene.flat(), dtype=np.float32)
    inside = np.asarray(mask, dtype=np.float32)[..., None] / 255
    slope = rng.uniform(0.15, 0.3) * rng.choice([-1, 1])
    light = 1.08 + slope * (columns / SIDE - 0.5) - 0.35 * (rows / SIDE - 0.5)
    dark = 1 - 0.4 * np.asarray(shadow, dtype=np.float32)[..., None] / 255 * (1 - inside)
    picture = Image.fromarray(_bytes(flat * dark * light[..., None]))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)))


def watercolor(scene: Scene, rng: Rng) -> Picture:
    """Thin washes that run over their edges and dry darker there, on rough white paper."""
    flat = scene.flat().filter(ImageFilter.BoxBlur(2))
    wash = _displaced(np.asarray(flat, dtype=np.float32), rng, 14, 2.6)
    edges = np.asarray(scene.outlines(3).filter(ImageFilter.BoxBlur(1)), dtype=np.float32)
    rim: Floats = _displaced(edges, rng, 14, 2.6)[..., None] / 255
    rows, columns = _grid()
    margin = np.minimum.reduce([rows, columns, SIDE - 1 - rows, SIDE - 1 - columns])
    torn = ((margin + _noise(rng, 12, 3.0) - 7) / 4).clip(0, 1)[..., None]
    pigment = (0.62 + _noise(rng, 10, 0.16)[..., None]).clip(0.35, 0.95) * torn
    paper = _paper(rng, (252, 249, 240), 4)
    return _bytes(paper * (1 - pigment) + wash * pigment - 60 * rim * torn)


def pointillism(scene: Scene, rng: Rng) -> Picture:
    """Round dots of nearly pure color, scattered, on cream."""
    flat = np.asarray(scene.flat(), dtype=np.float32)
    image = Image.new("RGB", (SIDE, SIDE), (240, 232, 212))
    pen = ImageDraw.Draw(image)
    step = 6
    start = np.arange(0, SIDE + step, step)
    crossings = np.stack(np.meshgrid(start, start), axis=-1).reshape(-1, 2)
    places = crossings + rng.uniform(-2.2, 2.2, size=crossings.shape)
    inside = places.clip(0, SIDE - 1).astype(np.intp)
    colors = flat[inside[:, 1], inside[:, 0]] + rng.normal(scale=26, size=(len(places), 3))
    radii = rng.uniform(2.2, 3.3, size=len(places))
    for (x, y), radius, color in zip(places, radii, _bytes(colors), strict=True):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tuple(color.tolist()))
    return np.asarray(image)


def mosaic(scene: Scene, rng: Rng) -> Picture:
    """Square tiles of one color each, slightly uneven, with light grout."""
    tile = 8
    side = SIDE // tile
    small = scene.flat().resize((side, side), Image.Resampling.BOX)
    colors: Floats = np.asarray(small, dtype=np.float32) + rng.normal(
        scale=12, size=(side, side, 1)
    )
    picture = colors.repeat(tile, axis=0).repeat(tile, axis=1)
    rows, columns = _grid()
    grout = (rows % tile < 1) | (columns % tile < 1)
    picture[grout] = (232, 228, 220)
    picture[((rows % tile == 1) | (columns % tile == 1)) & ~grout] += 22
    return _bytes(picture)


def sketch(scene: Scene, rng: Rng) -> Picture:
    """Pencil outlines drawn twice, hatching where the picture is dark."""
    rows, columns = _grid()
    lines = np.zeros((SIDE, SIDE), dtype=np.float32)
    for width, shift in ((2, 0.8), (1, 1.8)):
        outline = scene.outlines(width, rng.uniform(-shift, shift, size=2))
        drawn = _displaced(np.asarray(outline, dtype=np.float32) / 255, rng, 8, 0.8)
        lines = np.maximum(lines, drawn * (0.85 if width == 2 else 0.6))
    inside = np.asarray(scene.silhouette(), dtype=np.float32) / 255
    stroke = ((columns + rows + _noise(rng, 6, 1.5)) % 6 < 1.8).astype(np.float32)
    hatch = stroke * inside * (0.75 - _luminance(scene)).clip(0, 1) * 0.9
    paper = _paper(rng, (246, 245, 242), 5)
    return _bytes(paper * (1 - np.maximum(lines, hatch))[..., None] + 45 * lines[..., None])


def neon_lines(scene: Scene, rng: Rng) -> Picture:
    """Glowing saturated tubes on black."""
    tubes = [(255, 40, 200), (40, 255, 240), (120, 255, 60), (255, 160, 30)]
    first, second = rng.permutation(tubes)[:2]
    line = scene.outlines(2)
    core = np.asarray(line.filter(ImageFilter.BoxBlur(0.6)), dtype=np.float32)[..., None] / 255
    glow = np.asarray(line.filter(ImageFilter.GaussianBlur(5)), dtype=np.float32)[..., None] / 255
    rows, _ = _grid()
    mix = (rows / SIDE)[..., None]
    tube = first * (1 - mix) + second * mix
    floor = (np.abs(rows - scene.horizon) < 1)[..., None] * second * 0.35
    return _bytes(np.array((8, 6, 18)) + floor + tube * (core * 1.1 + glow * 1.7) + 90 * core)


def blueprint(scene: Scene, rng: Rng) -> Picture:
    """Thin white lines and a grid on blue."""
    rows, columns = _grid()
    blue = np.array((28, 66, 148), dtype=np.float32) * rng.uniform(0.85, 1.12)
    shift = rng.integers(0, 16, size=2)
    grid = ((rows + shift[0]) % 16 < 1) | ((columns + shift[1]) % 16 < 1)
    line = np.asarray(scene.outlines(2), dtype=np.float32) / 255
    white = np.maximum(line * 0.95, grid * 0.22)[..., None]
    return _bytes(blue * (1 - white) + np.array((226, 236, 255)) * white)


def woodcut(scene: Scene, rng: Rng) -> Picture:
    """Black ink on cream in carved stripes, thicker where it is darker."""
    rows, columns = _grid()
    angle = np.deg2rad(rng.uniform(-25, 25))
    across = rows * np.cos(angle) + columns * np.sin(angle) + _noise(rng, 5, 1.8)
    wave = 0.5 + 0.5 * np.sin(across * 2 * np.pi / 7)
    inside = np.asarray(scene.silhouette(), dtype=np.float32) / 255
    ink = wave > 0.15 + 0.7 * _luminance(scene) * (0.55 + 0.45 * (1 - inside))
    border = np.asarray(scene.outlines(4), dtype=np.float32) > 127
    return _bytes(np.where((ink | border)[..., None], (24, 20, 18), (238, 226, 200)))


def stained_glass(scene: Scene, rng: Rng) -> Picture:
    """Panes of saturated color between black lead."""
    flat = np.asarray(scene.flat(), dtype=np.float32)
    seeds = rng.uniform(0, SIDE, size=(34, 2))
    rows, columns = _grid()
    pixels = np.stack([rows[::2, ::2], columns[::2, ::2]], axis=-1)
    _, pane = spatial.cKDTree(seeds).query(pixels)
    pane = pane.repeat(2, axis=0).repeat(2, axis=1)
    inside = np.asarray(scene.silhouette()) > 0
    lead = (np.roll(pane, 2, axis=0) != pane) | (np.roll(pane, 2, axis=1) != pane)
    lead = (lead & ~inside) | (np.asarray(scene.outlines(4)) > 127)
    gray = flat.mean(axis=-1, keepdims=True)
    tone = rng.normal(scale=34, size=(34, 3)).astype(np.float32)[pane]
    glass = gray + 1.7 * (flat - gray) + tone * np.where(inside[..., None], 0.45, 1.1)
    rows, columns = _grid()
    glow = 1.2 - 0.5 * np.hypot(rows / SIDE - 0.5, columns / SIDE - 0.5)
    return _bytes(np.where(lead[..., None], 12, glass * glow[..., None]))


def pop_art(scene: Scene, rng: Rng) -> Picture:
    """Loud flat colors, a dotted ground, a thick black outline."""
    rows, columns = _grid()
    loud = [(255, 222, 0), (255, 60, 120), (0, 180, 255), (120, 220, 40)]
    ground, dots = rng.permutation(loud)[:2]
    pitch = 11.0
    dotted = np.hypot(rows % pitch - pitch / 2, columns % pitch - pitch / 2) < 3.4
    back = np.where(dotted[..., None], dots, ground).astype(np.float32)
    hard = np.round(np.asarray(scene.flat(), dtype=np.float32) / 255 * 2) / 2 * 255
    inside = (np.asarray(scene.silhouette()) > 0)[..., None]
    outline = (np.asarray(scene.outlines(5)) > 127)[..., None]
    return _bytes(np.where(outline, 10, np.where(inside, hard, back)))


def crayon(scene: Scene, rng: Rng) -> Picture:
    """Waxy strokes in one direction that let the white paper through."""
    rows, columns = _grid()
    angle = np.deg2rad(rng.uniform(25, 65))
    along = rows * np.cos(angle) - columns * np.sin(angle) + _noise(rng, 8, 2.0)
    grain = rng.normal(scale=0.35, size=(SIDE, SIDE)).astype(np.float32)
    grain = ndimage.uniform_filter(grain, size=2)
    wax = (0.62 + 0.45 * np.sin(along * 2 * np.pi / 5) + grain > 0.25).astype(np.float32)
    flat = _displaced(np.asarray(scene.flat(), dtype=np.float32), rng, 16, 1.6)
    line = np.asarray(scene.outlines(3), dtype=np.float32) / 255
    cover = np.maximum(wax * 0.85, line)[..., None]
    paper = _paper(rng, (253, 251, 246), 3)
    return _bytes(paper * (1 - cover) + flat * (1 - 0.35 * line[..., None]) * cover)


def thermal(scene: Scene, rng: Rng) -> Picture:
    """A heat camera: the object hot on a cold ground, in false colors."""
    inside = scene.silhouette().filter(ImageFilter.GaussianBlur(3))
    shade = scene.flat().convert("L").filter(ImageFilter.GaussianBlur(1.5))
    heat = np.asarray(inside, dtype=np.float32) / 255
    tone = np.asarray(shade, dtype=np.float32) / 255
    level = 0.1 + 0.14 * tone + heat * (0.34 + 0.36 * tone) + _noise(rng, 6, 0.03)
    table = (matplotlib.colormaps["turbo"].resampled(256)(np.arange(256))[:, :3] * 255).astype(
        np.uint8
    )
    return table[(level * 255).clip(0, 255).astype(np.uint8)]


STYLES: dict[str, Callable[[Scene, Rng], Picture]] = {
    "Photo": photo,
    "Watercolor": watercolor,
    "Pointillism": pointillism,
    "Mosaic": mosaic,
    "Sketch": sketch,
    "Neon Lines": neon_lines,
    "Blueprint": blueprint,
    "Woodcut": woodcut,
    "Stained Glass": stained_glass,
    "Pop Art": pop_art,
    "Crayon": crayon,
    "Thermal": thermal,
}
