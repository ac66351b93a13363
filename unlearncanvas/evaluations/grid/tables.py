"""Tables of the grid evaluation."""

from collections.abc import Mapping, Sequence
from typing import Literal

from metrics.base import Score
from unlearncanvas.core.registry import CONFIG_DIR, read_yaml
from unlearncanvas.results.cells import BASELINES, score_cell, size
from unlearncanvas.results.export import Column, Table
from unlearncanvas.results.headings import Heading, directed, headings_of, intervals_of
from unlearncanvas.results.schema import MeanRow, Results

COST = ("UFE", "seconds", "peak", "stored", "ms an\nimage", "UFE an\nimage")


def tables(results: Results) -> list[Table]:
    """Return a table of scores for style targets, one for object targets, and one of costs."""
    found = []
    for kind in ("style", "object"):
        rows = [row for row in results.means if row.kind == kind]
        if rows:
            found.append(_scores(kind, rows, results))
    return [*found, _costs(results.means)]


def _scores(kind: str, rows: Sequence[MeanRow], results: Results) -> Table:
    count, seeds = len(rows[-1].targets), len(results.seeds)
    headings = headings_of(row.scores for row in rows)
    columns = [Column("eraser", "left", wrap=False)]
    for name, label, _ in headings:
        first = next(row.scores[name] for row in rows if name in row.scores)
        columns.append(Column(directed(label, first)))
    lines: list[tuple[str, ...]] = []
    emphasis: dict[int, Literal["bold", "dim"]] = {}
    for row in rows:
        emphasis[len(lines)] = _emphasis(row.label)
        lines.append(_line(row.label, row.scores, headings))
        published = _published(results.published, row)
        if published:
            cells = (published.get(item.name, "") for item in headings)
            lines.append((f"{row.label}, as published*", *cells))
    emphasis[len(lines)] = "dim"
    real = _line("real images", results.real_vs_real, headings)
    return Table(
        title=(
            f"Forgetting {count} {kind}{'s' if count > 1 else ''} · {results.protocol} "
            f"{results.tier}{', subset' if results.subset else ''} · "
            f"{seeds} seed{'s' if seeds > 1 else ''}"
        ),
        columns=tuple(columns),
        rows=(*lines, real),
        rule=len(lines),
        emphasis=emphasis,
        caption=_caption(results, rows, count),
    )


def _line(label: str, scores: Mapping[str, Score], headings: Sequence[Heading]) -> tuple[str, ...]:
    return (label, *(score_cell(scores.get(name), digits) for name, _, digits in headings))


def _emphasis(label: str) -> Literal["bold", "dim"]:
    return "dim" if label in BASELINES else "bold"


def _published(reference: str | None, row: MeanRow) -> dict[str, str]:
    """Published scores of an eraser, by metric; empty if the table has no such row."""
    if reference is None:
        return {}
    rows = read_yaml(CONFIG_DIR / "published" / f"{reference}.yaml")["rows"]
    values = rows.get(row.label, {}).get(row.kind, {})
    return {name: f"{value:.1f}" for name, value in values.items()}


def _caption(results: Results, rows: Sequence[MeanRow], count: int) -> str:
    about = intervals_of([score for row in rows for score in row.scores.values()], count)
    interval = f"[low, high]: {about}" if about.startswith("95") else about
    published = "" if results.published is None else " · *as published, not reproduced"
    return f"{interval} · protocol digest {results.protocol_digest[:12]}{published}"


def _costs(rows: Sequence[MeanRow]) -> Table:
    return Table(
        title="What an erasure costs",
        columns=(
            Column("eraser", "left", wrap=False),
            Column("targets", "left"),
            *(Column(heading, wrap=False) for heading in COST),
        ),
        rows=[(row.label, row.kind, *cost(row)) for row in rows],
        emphasis={place: _emphasis(row.label) for place, row in enumerate(rows)},
    )


def cost(row: MeanRow) -> tuple[str, ...]:
    """Return the cells under :data:`COST`; work for generated images after a plus sign."""
    gallery = f"\n+ {row.gallery_ufe:,.0f}" if row.gallery_ufe else ""
    unknown = "not measured"
    return (
        unknown if row.ufe is None else f"{row.ufe:,.0f}{gallery}",
        unknown if row.erase_seconds is None else f"{row.erase_seconds:,.1f}",
        unknown if row.peak_memory_bytes is None else size(row.peak_memory_bytes),
        unknown if row.stored_bytes is None else size(row.stored_bytes),
        unknown if row.seconds_per_image is None else f"{1000 * row.seconds_per_image:.0f}",
        "unknown" if row.ufe_per_image is None else f"{row.ufe_per_image:,.1f}",
    )
