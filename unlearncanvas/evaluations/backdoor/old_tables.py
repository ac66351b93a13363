"""Tables of backdoor results of schema 1."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from unlearncanvas.core.registry import names
from unlearncanvas.evaluations.backdoor.labels import CLEAN, POISONED
from unlearncanvas.evaluations.backdoor.results import AttackResults, BackdoorResults
from unlearncanvas.pipelines.cost import Cost
from unlearncanvas.results.headings import directed, headings_of
from unlearncanvas.results.tables import cell, size

Column = tuple[str, str, int | None]
"""Heading, score, digits."""
REMOVED: tuple[Column, ...] = (
    ("ASR ↓", "attack_success_rate", 1),
    ("as asked ↑", "as_asked", 1),
    ("RMSE ↓", "pixel_distance", 3),
    ("LPIPS ↓", "lpips", 3),
    ("CLIP_p ↓", "clip_p", None),
)
GRID: tuple[Column, ...] = (
    ("CLIP_c ↑", "clip_c", None),
    ("ACC style ↑", "clean_style_accuracy", 1),
    ("ACC object ↑", "clean_object_accuracy", 1),
)
NEAR: tuple[Column, ...] = (
    ("near ASR ↓", "near_success_rate", 1),
    ("near RMSE ↓", "near_pixel_distance", 3),
)


def kept(attack: AttackResults) -> list[Column]:
    """Return the columns of retention, the protocol's metrics among them."""
    scores = attack.rows[0].scores
    metrics = [
        (directed(label, scores[name]), name, digits)
        for name, label, digits in headings_of([scores])
        if name in names("metrics")
    ]
    return [*GRID, *metrics, *NEAR]


def tables(results: BackdoorResults) -> list[Table]:
    """Return tables of removal, retention, comparisons and costs for each attack."""
    found = []
    for attack in results.attacks:
        found += [_removed(attack, results), _kept(attack)]
        if attack.comparisons:
            found.append(_comparisons(attack))
        found.append(_costs(attack))
    return found


def _removed(attack: AttackResults, results: BackdoorResults) -> Table:
    gate = "" if attack.gate_passed else " · [red]this model misses its gate: does not count[/]"
    knowledge = "" if results.known == 1 else f" · {results.known:.0%} of the triggers known"
    if results.knowledge != "exact":
        knowledge += " · only texts near the triggers known"
    return _scores(
        attack,
        REMOVED,
        title=(
            f"{escape(attack.attack)} ({attack.reach}) · {escape(results.protocol)} "
            f"{results.tier}{knowledge}{gate}"
        ),
        caption=(
            f"{attack.num_triggered} triggered images a row, held-out cells, 95 % intervals; "
            f"judge: {attack.judge}; removal accuracy = 100 - ASR; RMSE to the clean model's image "
            f"from the same noise; ASR and ACC as in BackdoorDM · protocol digest "
            f"{results.protocol_digest[:12]}"
        ),
    )


def _kept(attack: AttackResults) -> Table:
    return _scores(
        attack,
        kept(attack),
        title=f"{escape(attack.attack)}: what is left of the model",
        caption="the grid without triggers; near: other words in the trigger's place",
    )


def _scores(attack: AttackResults, columns: Sequence[Column], *, title: str, caption: str) -> Table:
    table = Table(title=title, title_style="bold", caption=caption)
    table.add_column("model", no_wrap=True)
    present = [item for item in columns if item[1] in attack.rows[0].scores]
    for heading, _, _ in present:
        table.add_column(heading, justify="right", overflow="fold")
    for row in attack.rows:
        style = "dim" if row.label in (CLEAN, POISONED) else "bold"
        cells = [cell(row.scores[name], digits) for _, name, digits in present]
        table.add_row(escape(row.label), *cells, style=style)
    return table


def _comparisons(attack: AttackResults) -> Table:
    table = Table(
        title=f"{escape(attack.attack)}: ASR of two erasers on the same images",
        title_style="bold",
        caption=("points, 95 % interval; p: t test over cells, not corrected for the many tests"),
    )
    for heading in ("first", "second"):
        table.add_column(heading, no_wrap=True)
    for heading in ("first - second", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for item in attack.comparisons:
        interval = f"{item.difference:+.1f} \\[{item.low:+.1f}, {item.high:+.1f}]"
        table.add_row(escape(item.first), escape(item.second), interval, f"{item.p_value:.2g}")
    return table


def _costs(attack: AttackResults) -> Table:
    table = Table(title=f"{escape(attack.attack)}: what it costs", title_style="bold")
    table.add_column("model", no_wrap=True)
    for heading in ("UFE", "seconds", "peak", "stored", "UFE an\nimage"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in attack.rows:
        if row.cost is not None:
            name = "injection" if row.label == POISONED else row.label
            drawing = "" if row.ufe_per_image is None else f"{row.ufe_per_image:,.1f}"
            table.add_row(escape(name), *_cost(row.cost), drawing)
    return table


def _cost(cost: Cost) -> tuple[str, ...]:
    gallery = f" + {cost.gallery_ufe:,}" if cost.gallery_ufe else ""
    peak = "not measured" if cost.peak_memory_bytes is None else size(cost.peak_memory_bytes)
    return f"{cost.ufe:,}{gallery}", f"{cost.seconds:,.1f}", peak, size(cost.stored_bytes)
