"""Tables of the backdoor evaluation."""

from collections.abc import Sequence

from unlearncanvas.core.registry import names
from unlearncanvas.evaluations.backdoor.labels import POISONED
from unlearncanvas.pipelines.cost import Cost
from unlearncanvas.results.cells import score_cell, size
from unlearncanvas.results.comparisons import comparison_table
from unlearncanvas.results.export import Column, Table
from unlearncanvas.results.headings import Heading, directed, heading_of, headings_of
from unlearncanvas.results.schema import Comparison, Results, Row, group_text

REMOVED = (
    Heading("attack_success_rate", "ASR ↓", 1),
    Heading("as_asked", "as asked ↑", 1),
    Heading("pixel_distance", "RMSE ↓", 3),
    Heading("lpips", "LPIPS ↓", 3),
    Heading("clip_p", "CLIP_p ↓", None),
)
GRID = (
    Heading("clip_c", "CLIP_c ↑", None),
    Heading("clean_style_accuracy", "ACC style ↑", 1),
    Heading("clean_object_accuracy", "ACC object ↑", 1),
)
NEAR = (
    Heading("near_success_rate", "near ASR ↓", 1),
    Heading("near_pixel_distance", "near RMSE ↓", 3),
)


def tables(results: Results) -> list[Table]:
    """Return tables of removal, retention, comparisons and costs for each attack."""
    found = []
    for attack in dict.fromkeys(row.group["attack"] for row in results.rows):
        rows = [row for row in results.rows if row.group["attack"] == attack]
        pairs: dict[str, list[Comparison]] = {}
        for item in results.comparisons:
            if item.group["attack"] == attack:
                pairs.setdefault(item.score, []).append(item)
        found += [_removed(attack, rows, results), _kept(attack, rows)]
        for score, items in pairs.items():
            label = "ASR" if score == "attack_success_rate" else heading_of(score).label
            title = f"{attack}: {label} of two erasers on the same images"
            found.append(comparison_table(title, items))
        found.append(_costs(attack, rows))
    return found


def kept(rows: Sequence[Row]) -> list[Heading]:
    """Return the columns of retention, the protocol's metrics among them."""
    scores = rows[0].scores
    metrics = [
        Heading(name, directed(label, scores[name]), digits)
        for name, label, digits in headings_of([scores])
        if name in names("metrics")
    ]
    return [*GRID, *metrics, *NEAR]


def _removed(attack: str, rows: Sequence[Row], results: Results) -> Table:
    notes = results.notes[group_text({"attack": attack})]
    known, knowledge = notes["known_fraction"], notes["trigger_knowledge"]
    what = "" if known == 1 else f" · {known:.0%} of the triggers known"
    if knowledge != "exact":
        what += " · only neighbors of the triggers known"
    return _scores(
        rows,
        REMOVED,
        title=f"{attack} ({notes['reach']}) · {results.protocol} {results.tier}{what}",
        caption=(
            f"{notes['num_triggered']} triggered images a row, held-out cells, 95 % intervals; "
            f"judge: {notes['judge']}; removal accuracy = 100 - ASR; RMSE to the clean model's "
            "image from the same noise; ASR and ACC as in BackdoorDM · protocol digest "
            f"{results.protocol_digest[:12]}"
        ),
        warning="" if notes["gate_passed"] else "this model misses its gate: does not count",
    )


def _kept(attack: str, rows: Sequence[Row]) -> Table:
    return _scores(
        rows,
        kept(rows),
        title=f"{attack}: what is left of the model",
        caption="the grid without triggers; near: other texts of its sort in the trigger's place",
    )


def _scores(
    rows: Sequence[Row], headings: Sequence[Heading], *, title: str, caption: str, warning: str = ""
) -> Table:
    present = [item for item in headings if item.name in rows[0].scores]
    return Table(
        title=title,
        columns=(
            Column("model", "left", wrap=False),
            *(Column(item.label) for item in present),
        ),
        rows=[
            (row.label, *(score_cell(row.scores[i.name], i.digits) for i in present))
            for row in rows
        ],
        emphasis={
            place: "dim" if row.role == "baseline" else "bold" for place, row in enumerate(rows)
        },
        caption=caption,
        warning=warning,
    )


def _costs(attack: str, rows: Sequence[Row]) -> Table:
    headings = ("UFE", "seconds", "peak", "stored", "UFE an\nimage")
    lines = []
    for row in rows:
        if row.cost is not None:
            name = "injection" if row.label == POISONED else row.label
            drawing = "" if row.ufe_per_image is None else f"{row.ufe_per_image:,.1f}"
            lines.append((name, *_cost(row.cost), drawing))
    return Table(
        title=f"{attack}: what it costs",
        columns=(
            Column("model", "left", wrap=False),
            *(Column(item, wrap=False) for item in headings),
        ),
        rows=lines,
    )


def _cost(cost: Cost) -> tuple[str, ...]:
    gallery = f" + {cost.gallery_ufe:,}" if cost.gallery_ufe else ""
    peak = "not measured" if cost.peak_memory_bytes is None else size(cost.peak_memory_bytes)
    return f"{cost.ufe:,}{gallery}", f"{cost.seconds:,.1f}", peak, size(cost.stored_bytes)
