"""The tables of the simulation as the page ``docs/intervals.md``."""

from collections.abc import Mapping, Sequence
from typing import Any

INTRODUCTION = """# How well the intervals cover

Made by `python -m unlearncanvas.studies.coverage --write`
(data: [intervals.json](results/intervals.json)); do not edit. Every number is the percentage of
{evaluations:,} simulated evaluations (FID: {fid_evaluations}) whose 95 % interval holds the truth,
with the functions that results are made with; the Monte Carlo error is {error:.1f} points (FID:
{fid_error:.1f}). *Before* is version 0.5. Wanted: 92 to 98 %. Bold: outside.
"""
SHARES = """## One target: a share of images

**Estimated: the share among new cells, with new noise.** Cells and seeds have normal effects on the
log odds, with the standard deviations given; *same seeds* is what the interval claims. Every
protocol with `noise: cell` seeds each image by seed *and* cell, so that a seed has no effect that
cells share: the rows with 0 between seeds are theirs. Where noise is shared (`noise: run`, `image`:
`unlearncanvas-official`), the interval is about these seeds alone; *new seeds* says how wrong it
would be about others. Two seeds say too little of others: the best interval that was tried,
*two-way* (variance between cells and between seeds, Satterthwaite's degrees of freedom), falls
short of 92 % in many of these rows, too, and is wider where there is no seed effect (*its width*:
times the present one's). Above 98 % are settings of 10 cells, where the count of failed cells jumps
over the wanted range, and of large seed effects.
"""
TARGETS = """## Over targets

**Estimated: the mean over new targets.** From five targets on: Student's t on the log odds. For the
lognormal, whose rare targets fail by far, nothing that was tried reaches 92 %: not Student's t as
it is, not the bootstrap-t, which is a little better from nine targets on, and wider.
"""
THESE = """## The mean over few targets

**Estimated: the mean over new cells for these three targets, not over other targets.** Targets that
are measured on their own cells are independent; those measured on the same cells share errors, here
all of them, the worst case. Where nearly all images of three targets agree, it falls a little
short.
"""
FID = """## FID of one target

**Estimated: FID at this number of images, over new cells, against the same real images.** *Alike*:
the part of the features' variance that is between cells.
"""
PAIRED = """## Two erasers on the same images

**Estimated: the difference over new cells.** *Size*: how often the test finds a difference at p <=
0.05 where there is none; 5 is wanted, less is conservative. Near 100 % ten cells seldom differ at
all, so that no test can find much; the interval is wide there for the same reason.
"""
SEVERAL = """## Several erasers that are equal

**Estimated: no difference between any two.** *One by one*: the unadjusted intervals of pairs that
hold 0; *together*: evaluations in which the simultaneous intervals of all pairs do. Of
{fid_evaluations} evaluations each. Fewer than six cells are not compared.
"""
SIZE = {"cells": "cells", "seeds": "seeds"}
BEFORE_NOW = {"before": "before", "now": "**now**"}
COLUMNS: dict[str, dict[str, str]] = {
    "shares": {
        "metric": "metric", **SIZE, "share": "share", "by_cell": "sd by cell",
        "by_seed": "sd by seed", "before": "before, same seeds", "now": "**now, same seeds**",
        "before_new_seeds": "before, new seeds", "now_new_seeds": "now, new seeds",
        "two_way_new_seeds": "two-way, new seeds", "two_way_width": "its width",
    },
    "targets": {
        "values": "values of targets, %", "targets": "targets", **BEFORE_NOW, "t": "Student's t",
        "bootstrap_t": "bootstrap-t",
    },
    "these_targets": {
        "metric": "metric", "cells": "cells of the targets", "share": "share",
        "by_cell": "sd by cell", "now": "**now**",
    },
    "fid": {**SIZE, "alike": "alike", **BEFORE_NOW},
    "paired": {
        **SIZE, "shares": "shares", "by_cell": "sd by cell", "before_size": "size before",
        "now_size": "**size now**", "now": "**interval now**",
    },
    "several": {
        "values": "values", "erasers": "erasers", "cells": "cells", "alone": "one by one",
        "now": "**together**",
    },
}  # fmt: skip
"""Headings by key of the rows, for each table."""
PERCENTAGES = {"alone", "before", "now", "before_new_seeds", "now_new_seeds",
               "two_way_new_seeds", "t", "bootstrap_t"}  # fmt: skip
"""Keys of coverages: bold where they are outside what is wanted."""


def document(tables: dict[str, Any]) -> str:
    """Return the page."""
    errors = {
        key: 100 * (0.95 * 0.05 / tables[name]) ** 0.5
        for key, name in (("error", "evaluations"), ("fid_error", "fid_evaluations"))
    }
    texts = (SHARES, TARGETS, THESE, FID, PAIRED, SEVERAL.format(**tables))
    parts = [INTRODUCTION.format(**tables, **errors)]
    for text, (name, columns) in zip(texts, COLUMNS.items(), strict=True):
        parts += [text, _table(tables[name], columns)]
    return "\n".join(parts)


def _table(rows: Sequence[Mapping[str, object]], columns: Mapping[str, str]) -> str:
    lines = [list(columns.values()), ["---:"] * len(columns)]
    lines += [[_cell(key, row[key]) for key in columns] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(key: str, value: object) -> str:
    if isinstance(value, float) and key in PERCENTAGES:
        return f"{value:.1f}" if 92 <= value <= 98 else f"**{value:.1f}**"
    return "" if value is None else str(value)
