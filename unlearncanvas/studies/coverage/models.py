"""Simulated images, targets and features whose true scores are known."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import expit

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(201)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


class Images(NamedTuple):
    """Whether images are right.

    Attributes:
        table: 0 or 1.
        same_seeds: The share of new cells at the same seeds.
    """

    table: Float[np.ndarray, "many cell seed"]
    same_seeds: Float[np.ndarray, " many"]


def center(share: float, spread: float) -> float:
    """Return the mean log odds whose mean share, over a normal spread, is ``share``."""
    return float(brentq(lambda mean: WEIGHTS @ expit(mean + spread * NODES) - share, -60, 60))


def images(
    rng: np.random.Generator,
    many: int,
    size: tuple[int, int],
    share: float,
    *,
    by_cell: float,
    by_seed: float,
) -> Images:
    """Return images with normal effects of cell and seed on the log odds.

    Args:
        rng: Generator.
        many: Evaluations.
        size: Cells and seeds of each.
        share: Of right images, over cells and seeds.
        by_cell: Standard deviation between cells.
        by_seed: Standard deviation between seeds.
    """
    num_cells, num_seeds = size
    mean = center(share, float(np.hypot(by_cell, by_seed)))
    cells = by_cell * rng.normal(size=(many, num_cells, 1))
    seeds = by_seed * rng.normal(size=(many, 1, num_seeds))
    table = rng.random((many, num_cells, num_seeds)) < expit(mean + cells + seeds)
    over_cells = expit(mean + seeds + by_cell * NODES[:, None]).transpose(0, 2, 1) @ WEIGHTS
    return Images(table.astype(float), over_cells.mean(axis=1))


Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
TARGETS: dict[str, tuple[Draw, float]] = {
    "normal, mean 80, sd 6": (lambda rng, size: rng.normal(80, 6, size), 80.0),
    "beta(8, 2)": (lambda rng, size: 100 * rng.beta(8, 2, size), 80.0),
    "beta(2, 0.5)": (lambda rng, size: 100 * rng.beta(2, 0.5, size), 80.0),
    "beta(5, 0.5)": (lambda rng, size: 100 * rng.beta(5, 0.5, size), 100 * 5 / 5.5),
    "100 - exponential, mean 8": (lambda rng, size: 100 - rng.exponential(8, size), 92.0),
    "100 - 5 x lognormal, sd 1": (
        lambda rng, size: 100 - 5 * rng.lognormal(0, 1, size),
        100 - 5 * float(np.exp(0.5)),
    ),
}
"""Percent by target, and the mean over all targets."""


def features(
    rng: np.random.Generator, num_cells: int, num_seeds: int, alike: float
) -> Float[np.ndarray, "n feature"]:
    """Return features of images; ``alike`` is the part of the variance that is between cells."""
    cells = rng.normal(0.3, np.sqrt(alike), (num_cells, 1, 16))
    within = rng.normal(0, np.sqrt(1 - alike), (num_cells, num_seeds, 16))
    return (cells + within).reshape(-1, 16)
