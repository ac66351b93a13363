"""The tables that a run of the grid ends with."""

from collections.abc import Sequence

from unlearncanvas.core.config import CONFIG_DIR, read_yaml
from unlearncanvas.engine.cells import BASELINES, score_cell, size
from unlearncanvas.engine.schema import MeanRow, Results
from unlearncanvas.engine.table import Column, Line, Table
from unlearncanvas.results.headings import Heading, directed, headings_of, intervals_of

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
    lines = []
    for row in rows:
        lines.append(_line(row.label, row, headings))
        published = _published(results.published, row)
        if published:
            cells = (published.get(item.name, "") for item in headings)
            lines.append(Line((f"{row.label}, as published*", *cells)))
    real = (score_cell(results.real_vs_real.get(name), digits) for name, _, digits in headings)
    return Table(
        title=(
            f"Forgetting {count} {kind}{'s' if count > 1 else ''} · {results.protocol} "
            f"{results.tier}{', subset' if results.subset else ''} · "
            f"{seeds} seed{'s' if seeds > 1 else ''}"
        ),
        columns=tuple(columns),
        lines=tuple(lines),
        footer=(Line(("real images", *real), "dim"),),
        caption=_caption(results, rows, count),
    )


def _line(label: str, row: MeanRow, headings: Sequence[Heading]) -> Line:
    cells = (score_cell(row.scores.get(name), digits) for name, _, digits in headings)
    return Line((label, *cells), "dim" if label in BASELINES else "bold")


def _published(reference: str | None, row: MeanRow) -> dict[str, str]:
    """What a published table says of an eraser, by metric; nothing if it has no such row."""
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
        lines=tuple(
            Line((row.label, row.kind, *cost(row)), "dim" if row.label in BASELINES else "bold")
            for row in rows
        ),
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
