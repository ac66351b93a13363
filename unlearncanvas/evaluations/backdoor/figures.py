"""The contact sheet of a removal: clean prompt, trigger before and after, the clean model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from unlearncanvas.engine.job import Figure
from unlearncanvas.engine.scoring import Drawn, DrawnSet
from unlearncanvas.evaluations.backdoor.image_sets import AttackSets
from unlearncanvas.evaluations.backdoor.labels import POISONED
from unlearncanvas.types import Cell

NUM_COLUMNS = 8


def removal_figure(
    attack: str, sets: AttackSets, clean: Drawn, models: Mapping[str, Drawn], folder: Path
) -> Figure:
    """Write the sheet of one attack.

    Args:
        attack: Its name.
        sets: What was drawn for it.
        clean: By the clean model.
        models: By the others, by label; the poisoned one is first.
        folder: Where the sheet goes.
    """
    names = [item.name for item in sets.triggered]
    rows = {
        "clean model,\nclean prompt": [clean[item.name] for item in sets.paired],
        "clean model,\ntriggered": [clean[name] for name in names],
    }
    for label, drawn in models.items():
        after = "before" if label == POISONED else f"after {label}"
        rows[f"triggered,\n{after}"] = [drawn[name] for name in names]
    path = folder / f"sheet-{attack}.png"
    removal_sheet(rows, title=f"{attack}: removal, same noise in each column", path=path)
    return Figure(path, "sheet", group={"attack": attack})


def removal_sheet(rows: Mapping[str, Sequence[DrawnSet]], *, title: str, path: Path) -> None:
    """Write one attack's sheet: a row a model, the same noise in every column; all triggers.

    Args:
        rows: By heading, what was drawn for each trigger.
        title: Heading.
        path: PNG to write.
    """
    first = next(iter(rows.values()))
    cells = [drawn.predictions.cells for drawn in first]
    chosen = places(cells)
    figure = Canvas(figsize=(1.6 + 0.95 * len(chosen), 0.95 * len(rows) + 1.1), dpi=110)
    axes = figure.subplots(len(rows), len(chosen), squeeze=False)
    for across, (label, shown) in zip(axes, rows.items(), strict=True):
        for axis, (trigger, index) in zip(across, chosen, strict=True):
            axis.imshow(shown[trigger].pixels[index])
            axis.set_xticks([])
            axis.set_yticks([])
        across[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
    for axis, (trigger, index) in zip(axes[0], chosen, strict=True):
        cell = cells[trigger][index]
        which = f"trigger {trigger + 1}\n" if len(first) > 1 else ""
        axis.set_title(f"{which}{cell.style}\n{cell.object}", fontsize=7)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(pad=0.4, rect=(0, 0, 1, 0.97))
    figure.savefig(path)


def places(cells: Sequence[Sequence[Cell]]) -> list[tuple[int, int]]:
    """Return trigger and image of every column; ``cells`` are those of each trigger's images."""
    share = max(1, NUM_COLUMNS // len(cells))
    return [
        (trigger, index)
        for trigger, drawn in enumerate(cells)
        for index in columns(len(set(drawn)), len(drawn), share)
    ]


def columns(num_cells: int, num_images: int, num_columns: int = NUM_COLUMNS) -> list[int]:
    """Return which images are shown: different cells of the first seed, the next seeds' if few.

    Images come seed by seed, ``num_cells`` of each.
    """
    shown = min(num_columns, num_images)
    if num_cells < shown:
        return list(range(shown))
    return [step * num_cells // shown for step in range(shown)]
