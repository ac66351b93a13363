"""Coverage of the intervals in every simulated setting."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

from metrics.fid import frechet_distance
from metrics.intervals import (
    Bounds,
    average_bounds,
    jackknife_cells,
    proportion_bounds,
    target_bounds,
)
from metrics.paired import difference_bounds, difference_p
from metrics.separation import separate
from unlearncanvas.studies.coverage import before, rejected
from unlearncanvas.studies.coverage.models import TARGETS, center, features, images

SIZES = {"UA": (10, 2), "UA, five seeds": (10, 5), "IRA": (80, 2), "CRA": (90, 2)}
SHARES = (0.5, 0.8, 0.9, 0.97)
SPREADS = ((0.0, 0.0), (1.0, 0.0), (2.5, 0.0), (5.0, 0.0), (0.0, 0.5), (2.5, 0.5), (2.5, 2.5),
           (0.0, 5.0))  # fmt: skip
"""Standard deviations of the log odds, between cells and between seeds."""
FID_RUNS = 400
Row = dict[str, Any]


def covered(bounds: Bounds, truth: np.ndarray | float) -> float:
    """Return the percentage of intervals that hold the truth."""
    inside = (bounds.low <= truth + 1e-9) & (truth - 1e-9 <= bounds.high)
    return round(100 * float(np.mean(inside)), 1)


def _width(bounds: Bounds) -> float:
    return float(np.mean(bounds.high - bounds.low))


def simulate(many: int) -> dict[str, Any]:
    """Return all tables; each row has its setting and percentages before and now."""
    return {
        "evaluations": many,
        "fid_evaluations": min(many, FID_RUNS),
        "shares": list(shares(many)),
        "targets": list(over_targets(many)),
        "these_targets": list(these_targets(many)),
        "fid": list(fid(min(many, FID_RUNS))),
        "paired": list(paired(many)),
        "several": list(several(min(many, FID_RUNS))),
    }


def shares(many: int) -> Iterator[Row]:
    """Yield the coverage of shares of one target, over cells and over cells and seeds."""
    rng = np.random.default_rng(1)
    for metric, size in SIZES.items():
        for share in SHARES:
            for by_cell, by_seed in SPREADS:
                drawn = images(rng, many, size, share, by_cell=by_cell, by_seed=by_seed)
                old, new = before.bootstrap_share(drawn.table), proportion_bounds(drawn.table)
                both = rejected.two_way(drawn.table)
                yield {
                    "metric": metric, "cells": size[0], "seeds": size[1], "share": share,
                    "by_cell": by_cell, "by_seed": by_seed,
                    "before": covered(old, drawn.same_seeds), "now": covered(new, drawn.same_seeds),
                    "before_new_seeds": covered(old, share), "now_new_seeds": covered(new, share),
                    "two_way_new_seeds": covered(both, share),
                    "two_way_width": round(_width(both) / _width(new), 1),
                }  # fmt: skip


def over_targets(many: int) -> Iterator[Row]:
    """Yield the coverage of means over new targets."""
    rng = np.random.default_rng(2)
    for name, (draw, mean) in TARGETS.items():
        for count in (5, 6, 9, 10):
            values = draw(rng, (many, count))
            yield {
                "values": name, "targets": count,
                "before": covered(before.bootstrap_targets(values), mean),
                "now": covered(target_bounds(values, percent=True), mean),
                "t": covered(target_bounds(values, percent=False), mean),
                "bootstrap_t": covered(rejected.bootstrap_t(values), mean),
            }  # fmt: skip


def these_targets(many: int) -> Iterator[Row]:
    """Yield the coverage of the mean over three given targets, over their cells."""
    rng = np.random.default_rng(3)
    for share in SHARES:
        for by_cell in (0.0, 2.5, 5.0):
            for metric, size, shared in (("UA", (10, 2), False), ("IRA", (80, 2), True)):
                tables = _three(rng, many, size, share, by_cell=by_cell, shared=shared)
                values = tables.mean(axis=(-2, -1))
                bounds = average_bounds(values, proportion_bounds(tables), shared=shared)
                yield {
                    "metric": metric, "cells": "the same" if shared else "their own",
                    "share": share, "by_cell": by_cell, "now": covered(bounds, share),
                }  # fmt: skip


def _three(
    rng: np.random.Generator, many: int, size: tuple[int, int], share: float, *, by_cell: float,
    shared: bool,
) -> np.ndarray:  # fmt: skip
    """Images of three targets; of shared cells the very same images, the least that is new."""
    kinds = [
        images(rng, many, size, share, by_cell=by_cell, by_seed=0.0).table
        for _ in range(1 if shared else 3)
    ]
    return np.stack(kinds * 3 if shared else kinds, axis=1)


def fid(many: int) -> Iterator[Row]:
    """Yield the coverage of FID at its n, over new cells, against the same real images."""
    rng = np.random.default_rng(4)
    for num_cells, num_seeds in ((80, 2), (84, 2), (90, 2), (81, 5)):
        for alike in (0.0, 0.3, 0.8):
            real = rng.normal(size=(num_cells * num_seeds, 16))
            cells = np.repeat(np.arange(num_cells), num_seeds).tolist()
            values, old, new = [], [], []
            for _ in range(many):
                drawn = features(rng, num_cells, num_seeds, alike)
                distance = partial(_distance, drawn, real)
                values.append(distance(np.arange(len(drawn))))
                blocks = np.arange(len(drawn)) % 10
                left = [distance(np.flatnonzero(blocks != block)) for block in range(10)]
                old.append(before.jackknife(np.array(left), values[-1]))
                new.append(jackknife_cells(distance, values[-1], cells))
            truth = float(np.mean(values))
            yield {
                "cells": num_cells, "seeds": num_seeds, "alike": alike,
                "before": covered(Bounds(*np.array(old).T), truth),
                "now": covered(Bounds(*np.array(new).T), truth),
            }  # fmt: skip


def _distance(drawn: np.ndarray, real: np.ndarray, rows: np.ndarray) -> float:
    return frechet_distance(drawn[rows], real)


def paired(many: int) -> Iterator[Row]:
    """Yield the size of the paired test at 5 %, and the coverage of differences."""
    rng = np.random.default_rng(5)
    for size in ((10, 2), (10, 5), (80, 2)):
        for one, two in ((0.5, 0.5), (0.8, 0.8), (0.9, 0.9), (0.97, 0.97), (0.9, 0.8), (0.97, 0.9)):
            for by_cell in (0.0, 2.5):
                cells = by_cell * rng.normal(size=(many, size[0], 1))
                first, second = (
                    (rng.random((many, *size)) < expit(center(share, by_cell) + cells)) * 1.0
                    for share in (one, two)
                )
                same = one == two
                change = first.mean(axis=2) - second.mean(axis=2)
                bounds = difference_bounds(first, second)
                yield {
                    "cells": size[0], "seeds": size[1], "shares": f"{one} and {two}",
                    "by_cell": by_cell,
                    "before_size": _below(before.sign_flip(change)) if same else None,
                    "now_size": _below(difference_p(first, second)) if same else None,
                    "now": covered(bounds, one - two),
                }  # fmt: skip


def several(many: int) -> Iterator[Row]:
    """Yield how often no two of several equal erasers are told apart, and one pair alone is not."""
    rng = np.random.default_rng(6)
    for values in ("normal", "shares, 0.9"):
        for rows in (3, 9):
            for num_cells in (6, 10, 20, 80):
                alone, together = [], []
                for _ in range(many):
                    drawn = rng.normal(size=(rows, num_cells))
                    if values != "normal":
                        drawn = 100 * (rng.random((rows, num_cells, 2)) < 0.9).mean(axis=2)
                    pairs = separate(
                        drawn, targets=["one"] * num_cells, cells=range(num_cells),
                        higher_is_better=True,
                    ).pairs  # fmt: skip
                    alone.append(np.mean([not pair.apart_unadjusted for pair in pairs]))
                    together.append(not any(pair.apart for pair in pairs))
                yield {
                    "values": values, "erasers": rows, "cells": num_cells,
                    "alone": round(100 * float(np.mean(alone)), 1),
                    "now": round(100 * float(np.mean(together)), 1),
                }  # fmt: skip


def _below(p_values: np.ndarray) -> float:
    return round(100 * float(np.mean(p_values <= 0.05)), 1)
