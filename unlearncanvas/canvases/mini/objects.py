"""The twelve objects: each a function from a random generator to polygons in a square of side 2."""

import colorsys
from collections.abc import Callable

import numpy as np

from unlearncanvas.canvases.mini.scene import Color, Shape, box, ellipse, polygon, turned

Rng = np.random.Generator


def tint(rng: Rng, hue: float, spread: float, saturation: float, value: float) -> Color:
    """Return a color near ``hue`` (degrees), as RGB in [0, 255]."""
    red, green, blue = colorsys.hsv_to_rgb(
        ((hue + rng.uniform(-spread, spread)) % 360) / 360,
        float(np.clip(saturation + rng.uniform(-0.1, 0.1), 0, 1)),
        float(np.clip(value + rng.uniform(-0.08, 0.08), 0, 1)),
    )
    return round(255 * red), round(255 * green), round(255 * blue)


def _sun(rng: Rng) -> list[Shape]:
    rays, body = tint(rng, 35, 12, 0.9, 0.95), tint(rng, 50, 8, 0.85, 0.97)
    num_rays, inner = int(rng.integers(8, 13)), rng.uniform(0.52, 0.6)
    half = 180 / num_rays * rng.uniform(0.42, 0.6)
    ray = polygon(
        (inner * 1.12 * np.cos(np.deg2rad(half)), inner * 1.12 * np.sin(np.deg2rad(half))),
        (rng.uniform(0.95, 1.1), 0),
        (inner * 1.12 * np.cos(np.deg2rad(half)), -inner * 1.12 * np.sin(np.deg2rad(half))),
    )
    spokes = [Shape(turned(ray, 360 * k / num_rays), rays) for k in range(num_rays)]
    return [*spokes, Shape(ellipse(0, 0, inner, inner), body)]


def _tree(rng: Rng) -> list[Shape]:
    leaf, trunk = tint(rng, 115, 25, 0.65, 0.55), tint(rng, 25, 8, 0.6, 0.4)
    width = rng.uniform(0.12, 0.18)
    stem = Shape(polygon((-width, 0.1), (width, 0.1), (width * 1.4, 1), (-width * 1.4, 1)), trunk)
    crown = [(-0.42, -0.05), (0.42, -0.05), (-0.25, -0.5), (0.28, -0.5), (0, -0.2)]
    radius = rng.uniform(0.4, 0.5)
    blobs = [
        Shape(ellipse(x + rng.uniform(-0.06, 0.06), y, radius, radius), leaf) for x, y in crown
    ]
    return [stem, *blobs]


def _house(rng: Rng) -> list[Shape]:
    wall, roof = tint(rng, 40, 30, 0.3, 0.88), tint(rng, 8, 16, 0.75, 0.68)
    door, glass = tint(rng, 25, 15, 0.65, 0.4), tint(rng, 200, 15, 0.45, 0.85)
    peak, side = rng.uniform(-1, -0.85), rng.choice([-1, 1])
    return [
        Shape(box(0.34 * side, -0.9, 0.58 * side, -0.2), door),
        Shape(box(-0.75, -0.15, 0.75, 0.9), wall),
        Shape(polygon((-1, -0.1), (0, peak), (1, -0.1)), roof),
        Shape(box(-0.4 * side - 0.18, 0.25, -0.4 * side + 0.18, 0.9), door),
        Shape(box(0.3 * side - 0.2, 0.15, 0.3 * side + 0.2, 0.55), glass),
    ]


def _fish(rng: Rng) -> list[Shape]:
    body, fin = tint(rng, 20, 25, 0.8, 0.9), tint(rng, 350, 20, 0.75, 0.75)
    height = rng.uniform(0.42, 0.55)
    return [
        Shape(polygon((0.5, 0), (1.05, -0.5), (0.88, 0), (1.05, 0.5)), fin),
        Shape(polygon((-0.3, -height * 0.8), (0.1, -height - 0.32), (0.35, -height * 0.6)), fin),
        Shape(polygon((-0.1, height * 0.8), (0.25, height + 0.25), (0.35, height * 0.6)), fin),
        Shape(ellipse(-0.15, 0, 0.82, height), body),
        Shape(ellipse(-0.05, 0.05, 0.2, 0.14, start=-60, stop=120), fin),
        Shape(ellipse(-0.62, -0.1, 0.12, 0.12), (250, 250, 250)),
        Shape(ellipse(-0.64, -0.1, 0.06, 0.06), (20, 20, 25)),
    ]


def _star(rng: Rng) -> list[Shape]:
    inner = rng.uniform(0.4, 0.48)
    angle = np.deg2rad(np.arange(10) * 36 - 90)
    radius = np.where(np.arange(10) % 2 == 0, 1.05, inner)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return [
        Shape(points, tint(rng, 48, 10, 0.85, 0.95)),
        Shape(points * 0.45, tint(rng, 30, 10, 0.85, 0.9)),
    ]


def _sail_boat(rng: Rng) -> list[Shape]:
    hull, mast = tint(rng, 15, 20, 0.7, 0.5), tint(rng, 30, 8, 0.5, 0.3)
    main, jib = tint(rng, 0, 180, 0.12, 0.96), tint(rng, 0, 180, 0.65, 0.85)
    top = rng.uniform(-1.05, -0.9)
    return [
        Shape(box(-0.05, top, 0.05, 0.5), mast),
        Shape(polygon((0.1, top + 0.05), (0.85, 0.35), (0.1, 0.35)), main),
        Shape(polygon((-0.1, top + 0.2), (-0.1, 0.35), (-0.7, 0.35)), jib),
        Shape(polygon((-1, 0.48), (1, 0.48), (0.62, 0.95), (-0.65, 0.95)), hull),
    ]


def _flower(rng: Rng) -> list[Shape]:
    petal, heart = tint(rng, 330, 40, 0.6, 0.92), tint(rng, 48, 8, 0.85, 0.9)
    stem = tint(rng, 115, 15, 0.7, 0.5)
    num_petals, turn = int(rng.integers(5, 8)), rng.uniform(0, 60)
    center = (0.0, -0.4)
    petals = [
        Shape(
            turned(ellipse(0.38, -0.4, 0.3, 0.19), 360 * k / num_petals + turn, about=center),
            petal,
        )
        for k in range(num_petals)
    ]
    return [
        Shape(box(-0.05, -0.3, 0.05, 1), stem),
        Shape(turned(ellipse(0.32, 0.55, 0.32, 0.13), 25, about=(0, 0.6)), stem),
        Shape(turned(ellipse(-0.32, 0.65, 0.32, 0.13), -25, about=(0, 0.7)), stem),
        *petals,
        Shape(ellipse(*center, 0.2, 0.2), heart),
    ]


def _cat(rng: Rng) -> list[Shape]:
    fur, ear = tint(rng, 28, 14, 0.5, 0.62), tint(rng, 350, 10, 0.4, 0.85)
    eye = tint(rng, 90, 40, 0.75, 0.85)
    tilt = rng.uniform(0.0, 0.12)
    parts = [
        Shape(polygon((-0.82, -1 - tilt), (-0.85, -0.1), (-0.15, -0.55)), fur),
        Shape(polygon((0.82, -1 - tilt), (0.85, -0.1), (0.15, -0.55)), fur),
        Shape(polygon((-0.7, -0.75), (-0.72, -0.3), (-0.38, -0.5)), ear),
        Shape(polygon((0.7, -0.75), (0.72, -0.3), (0.38, -0.5)), ear),
        Shape(ellipse(0, 0.1, 0.9, 0.75), fur),
    ]
    for side in (-1, 1):
        parts += [
            Shape(ellipse(0.36 * side, -0.02, 0.19, 0.2), eye),
            Shape(ellipse(0.36 * side, -0.02, 0.07, 0.18), (15, 15, 20)),
            Shape(
                polygon((0.3 * side, 0.4), (1.05 * side, 0.3), (1.05 * side, 0.35)), (40, 35, 35)
            ),
            Shape(polygon((0.3 * side, 0.48), (1.0 * side, 0.55), (1.0 * side, 0.6)), (40, 35, 35)),
        ]
    return [*parts, Shape(polygon((-0.14, 0.28), (0.14, 0.28), (0, 0.46)), ear)]


def _mushroom(rng: Rng) -> list[Shape]:
    cap, stem = tint(rng, 2, 16, 0.8, 0.8), tint(rng, 40, 10, 0.15, 0.92)
    width = rng.uniform(0.24, 0.34)
    spots = [(-0.5, -0.3, 0.16), (0.05, -0.55, 0.17), (0.52, -0.25, 0.14), (0.02, -0.15, 0.11)]
    return [
        Shape(
            polygon((-width, -0.1), (width, -0.1), (width * 1.3, 0.95), (-width * 1.3, 0.95)), stem
        ),
        Shape(ellipse(0, 0, 1, rng.uniform(0.85, 1.0), start=180, stop=360), cap),
        *[Shape(ellipse(x, y, r, r * 0.85), (250, 245, 235)) for x, y, r in spots],
    ]


def _bottle(rng: Rng) -> list[Shape]:
    glass, label = tint(rng, 150, 40, 0.65, 0.5), tint(rng, 45, 20, 0.2, 0.95)
    cork = tint(rng, 30, 8, 0.5, 0.6)
    width = rng.uniform(0.36, 0.46)
    outline = polygon(
        (-0.14, -0.85), (0.14, -0.85), (0.15, -0.4), (width, -0.05), (width, 0.98),
        (-width, 0.98), (-width, -0.05), (-0.15, -0.4),
    )  # fmt: skip
    return [
        Shape(box(-0.12, -1.05, 0.12, -0.82), cork),
        Shape(outline, glass),
        Shape(box(-width, 0.2, width, 0.7), label),
    ]


def _umbrella(rng: Rng) -> list[Shape]:
    dark, light = tint(rng, 260, 50, 0.7, 0.6), tint(rng, 320, 60, 0.5, 0.9)
    wood = tint(rng, 28, 8, 0.6, 0.35)
    height = rng.uniform(0.9, 1.0)
    scallops = np.linspace(1, -1, 33)
    rim = np.stack([scallops, -0.16 * np.abs(np.sin(2 * np.pi * scallops))], axis=1)
    panels = [
        Shape(np.concatenate([ellipse(0, 0, rx, height, start=180, stop=360), rim * [rx, 1]]), fill)
        for rx, fill in ((1.0, dark), (0.5, light))
    ]
    hook = np.concatenate(
        [ellipse(0.17, 0.78, 0.2, 0.2, start=0, stop=180),
         ellipse(0.17, 0.78, 0.1, 0.1, start=0, stop=180)[::-1]]
    )  # fmt: skip
    return [
        Shape(box(-0.05, -1.08, 0.05, 0.8), wood),
        Shape(hook, wood),
        *panels,
    ]


def _rocket(rng: Rng) -> list[Shape]:
    hull, fin = tint(rng, 210, 30, 0.12, 0.9), tint(rng, 0, 25, 0.8, 0.75)
    flame, glass = tint(rng, 38, 10, 0.9, 0.97), tint(rng, 205, 15, 0.6, 0.7)
    width = rng.uniform(0.32, 0.42)
    side = np.linspace(0, 1, 10)
    right = np.stack([width * np.sin(np.pi * (0.08 + 0.62 * side)), -1.05 + 1.6 * side], axis=1)
    hull_points = np.concatenate([right, (right * [-1, 1])[::-1]])
    return [
        Shape(polygon((-0.2, 0.5), (0.2, 0.5), (0, rng.uniform(0.95, 1.1))), flame),
        Shape(polygon((-width * 0.8, 0), (-0.8, 0.75), (-width * 0.5, 0.5)), fin),
        Shape(polygon((width * 0.8, 0), (0.8, 0.75), (width * 0.5, 0.5)), fin),
        Shape(hull_points, hull),
        Shape(ellipse(0, -0.3, 0.17, 0.17), glass),
        Shape(polygon((-0.07, 0.1), (0.07, 0.1), (0.07, 0.7), (-0.07, 0.7)), fin),
    ]


OBJECTS: dict[str, Callable[[Rng], list[Shape]]] = {
    "Sun": _sun,
    "Tree": _tree,
    "House": _house,
    "Fish": _fish,
    "Star": _star,
    "Sail Boat": _sail_boat,
    "Flower": _flower,
    "Cat": _cat,
    "Mushroom": _mushroom,
    "Bottle": _bottle,
    "Umbrella": _umbrella,
    "Rocket": _rocket,
}
