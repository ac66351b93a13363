"""Contact sheets before and after, comparisons of erasers, heat map."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import matplotlib.axes
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from unlearncanvas.engine.drawing import THUMBNAIL
from unlearncanvas.engine.grid import Grid
from unlearncanvas.types import Concept

NUM_NEIGHBORS = 3
NUM_ACROSS = 10


def contact_sheet(
    protocol: Grid, target: Concept, *, before: Path, after: Path, title: str, path: Path
) -> None:
    """Write the target and its neighbors, before above after, from two grid pictures.

    Columns run over the other domain; every pair has the same initial noise.
    """
    grids = [_pixels(file) for file in (before, after)]
    styled = target.kind == "style"
    rows = list(protocol.styles if styled else protocol.objects)
    across = list(protocol.objects if styled else protocol.styles)[:NUM_ACROSS]
    place = rows.index(target.name)
    shown = [rows[(place + step) % len(rows)] for step in range(min(len(rows), NUM_NEIGHBORS + 1))]
    figure = Figure(figsize=(1 + 0.72 * len(across), 1.7 * len(shown) + 0.7), dpi=110)
    axes = figure.subplots(2 * len(shown), len(across), squeeze=False)
    for row, name in enumerate(shown):
        for half, grid in enumerate(grids):
            for column, other in enumerate(across):
                axis = axes[2 * row + half][column]
                style, obj = (name, other) if styled else (other, name)
                axis.imshow(_thumbnail(grid, protocol, style, obj))
                axis.set_xticks([])
                axis.set_yticks([])
                for spine in axis.spines.values():
                    spine.set_visible(name == target.name and half == 1)
                    spine.set_color("crimson")
                    spine.set_linewidth(2)
                if row == half == 0:
                    axis.set_title(other, fontsize=8)
                if column == 0:
                    label = f"{name}\nbefore" if half == 0 else "after"
                    weight = "bold" if name == target.name else "normal"
                    axis.set_ylabel(
                        label, rotation=0, ha="right", va="center", fontsize=8, fontweight=weight
                    )
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(pad=0.3, rect=(0, 0, 1, 0.99))
    figure.savefig(path)


def comparison_sheet(
    protocol: Grid, target: Concept, *, grids: Mapping[str, Path], title: str, path: Path
) -> None:
    """Write one target under several erasers: a row each, the target's cells and its neighbor's.

    Args:
        protocol: Gives the grid.
        target: What was forgotten.
        grids: Grid pictures by label, the base model's first; all with the same initial noise.
        title: Heading.
        path: PNG to write.
    """
    styled = target.kind == "style"
    names = list(protocol.styles if styled else protocol.objects)
    across = list(protocol.objects if styled else protocol.styles)[:NUM_ACROSS]
    neighbor = names[(names.index(target.name) + 1) % len(names)]
    figure = Figure(figsize=(1.2 + 1.0 * len(across), 0.55 * len(grids) + 0.7), dpi=110)
    axes = figure.subplots(len(grids), 2, squeeze=False)
    for row, (label, file) in enumerate(grids.items()):
        grid = _pixels(file)
        for axis, name in zip(axes[row], (target.name, neighbor), strict=True):
            cells = [(name, other) if styled else (other, name) for other in across]
            axis.imshow(np.hstack([_thumbnail(grid, protocol, *cell) for cell in cells]))
            axis.set_xticks([])
            axis.set_yticks([])
            if row == 0:
                axis.set_title(name, fontsize=9, color="crimson" if name == target.name else "k")
        axes[row][0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(pad=0.4)
    figure.savefig(path)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _thumbnail(grid: np.ndarray, protocol: Grid, style: str, obj: str) -> np.ndarray:
    row, column = protocol.styles.index(style), protocol.objects.index(obj)
    top, left = row * THUMBNAIL, column * THUMBNAIL
    return grid[top : top + THUMBNAIL, left : left + THUMBNAIL]


def heat_map(
    accuracies: Mapping[str, Mapping[str, float]], protocol: Grid, *, title: str, path: Path
) -> None:
    """Write the matrix target x concept: the share of each concept's images where it is detected.

    Args:
        accuracies: For each row (its name ends with the target, or is ``base model``), percent by
            ``kind:name``.
        protocol: Gives the columns.
        title: Heading.
        path: PNG to write.
    """
    concepts = [f"style:{name}" for name in protocol.styles]
    concepts += [f"object:{name}" for name in protocol.objects]
    rows = list(accuracies)
    values = np.array([[accuracies[row][concept] for concept in concepts] for row in rows])
    figure = Figure(figsize=(2.6 + 0.5 * len(concepts), 2.0 + 0.36 * len(rows)), dpi=110)
    axis = figure.subplots()
    image = axis.imshow(values, cmap=mpl.colormaps["viridis"], vmin=0, vmax=100, aspect="auto")
    axis.set_xticks(range(len(concepts)), [c.partition(":")[2] for c in concepts], rotation=60)
    for label in axis.get_xticklabels():
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")
    axis.set_yticks(range(len(rows)), rows)
    axis.tick_params(labelsize=8)
    axis.axvline(len(protocol.styles) - 0.5, color="white", linewidth=2)
    for row, name in enumerate(rows):
        for column, concept in enumerate(concepts):
            value = values[row, column]
            axis.text(
                column, row, f"{value:.0f}", ha="center", va="center", fontsize=6.5,
                color="white" if value < 60 else "black",
                fontweight="bold" if name.endswith(concept) else "normal",
            )  # fmt: skip
            if name.endswith(concept):
                _frame(axis, column, row)
    axis.set_xlabel(
        "detected in images that should show it, %  (left: styles, right: objects)", fontsize=8
    )
    axis.set_ylabel("forgotten", fontsize=8)
    axis.set_title(title, fontsize=10)
    figure.colorbar(image, ax=axis, fraction=0.02, pad=0.01).ax.tick_params(labelsize=7)
    figure.tight_layout()
    figure.savefig(path)


def _frame(axis: mpl.axes.Axes, column: int, row: int) -> None:
    """Mark the cell of the target itself."""
    axis.add_patch(
        mpl.patches.Rectangle(
            (column - 0.5, row - 0.5),
            1,
            1,
            fill=False,
            edgecolor="crimson",
            linewidth=1.8,
            zorder=3,
        )
    )
