"""The contact sheet of a removal: clean prompt, trigger before and after, the clean model."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from unlearncanvas.backdoors.assess import CLEAN, POISONED, Drawn

NUM_COLUMNS = 8


def removal_sheet(drawn: Mapping[str, Drawn], *, title: str, path: Path) -> None:
    """Write one attack's sheet: a row a model, the same noise in every column.

    Args:
        drawn: What each model drew; the clean and the poisoned one are among them.
        title: Heading.
        path: PNG to write.
    """
    first = drawn[CLEAN].triggered[0].answers
    chosen = columns(len(set(first.cells)), len(first.cells))
    rows = {"clean model,\nclean prompt": drawn[CLEAN].paired[0]}
    rows["clean model,\ntriggered"] = drawn[CLEAN].triggered[0]
    for label, item in drawn.items():
        if label != CLEAN:
            name = "before" if label == POISONED else f"after {label}"
            rows[f"triggered,\n{name}"] = item.triggered[0]
    figure = Figure(figsize=(1.6 + 0.95 * len(chosen), 0.95 * len(rows) + 1.1), dpi=110)
    axes = figure.subplots(len(rows), len(chosen), squeeze=False)
    for across, (label, shown) in zip(axes, rows.items(), strict=True):
        for axis, index in zip(across, chosen, strict=True):
            axis.imshow(shown.pixels[index])
            axis.set_xticks([])
            axis.set_yticks([])
        across[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
    for axis, index in zip(axes[0], chosen, strict=True):
        cell = first.cells[index]
        axis.set_title(f"{cell.style}\n{cell.object}", fontsize=7)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(pad=0.4, rect=(0, 0, 1, 0.97))
    figure.savefig(path)


def columns(num_cells: int, num_images: int) -> list[int]:
    """Return which images are shown: different cells of the first seed, the next seeds' if few.

    Images come seed by seed, ``num_cells`` of each.
    """
    shown = min(NUM_COLUMNS, num_images)
    if num_cells < shown:
        return list(range(shown))
    return [step * num_cells // shown for step in range(shown)]
