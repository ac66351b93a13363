"""The table that a run ends with."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from metrics.base import Score
from unlearncanvas.core.registry import CONFIG_DIR, read_yaml
from unlearncanvas.results.headings import (
    directed,
    headings_of,
    interval_text,
    intervals_of,
    value_text,
)
from unlearncanvas.results.schema import BASELINES, Row, RunResults

COST = ("UFE", "seconds", "peak", "stored", "ms an\nimage", "UFE an\nimage")


def tables(results: RunResults) -> list[Table]:
    """Return a table of scores for style targets, one for object targets, and one of costs."""
    found = []
    for kind in ("style", "object"):
        rows = [row for row in results.rows if row.kind == kind]
        if rows:
            found.append(_table(kind, rows, results))
    return [*found, _costs(results.rows)]


def _table(kind: str, rows: Sequence[Row], results: RunResults) -> Table:
    limit = ", limited" if results.limited else ""
    count = len(rows[-1].targets)
    title = (
        f"Forgetting {count} {kind}{'s' if count > 1 else ''} · {escape(results.protocol)} "
        f"{results.tier}{limit} · {len(results.seeds)} seed{'s' if len(results.seeds) > 1 else ''}"
    )
    table = Table(title=title, title_style="bold", caption=_caption(results, rows, count))
    table.add_column("eraser", no_wrap=True)
    columns = headings_of(row.scores for row in rows)
    for name, label, _ in columns:
        first = next(row.scores[name] for row in rows if name in row.scores)
        table.add_column(directed(label, first), justify="right", overflow="fold")
    for row in rows:
        cells = [cell(row.scores.get(name), digits) for name, _, digits in columns]
        table.add_row(escape(row.label), *cells, style="dim" if row.label in BASELINES else "bold")
        said = _published(results.published, row)
        if said:
            table.add_row(
                f"{escape(row.label)}, as published*",
                *(said.get(item.name, "") for item in columns),
            )
    floor = [cell(results.floors.get(name), digits) for name, _, digits in columns]
    table.add_section()
    table.add_row("real images", *floor, style="dim")
    return table


def _published(reference: str | None, row: Row) -> dict[str, str]:
    """What a published table says of an eraser, by metric; nothing if it has no such row."""
    if reference is None:
        return {}
    rows = read_yaml(CONFIG_DIR / "published" / f"{reference}.yaml")["rows"]
    values = rows.get(row.label, {}).get(row.kind, {})
    return {name: f"{value:.1f}" for name, value in values.items()}


def _costs(rows: Sequence[Row]) -> Table:
    table = Table(title="What an erasure costs", title_style="bold")
    table.add_column("eraser", no_wrap=True)
    table.add_column("targets")
    for heading in COST:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        style = "dim" if row.label in BASELINES else "bold"
        table.add_row(escape(row.label), row.kind, *cost(row), style=style)
    return table


def cost(row: Row) -> tuple[str, ...]:
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


def _caption(results: RunResults, rows: Sequence[Row], count: int) -> str:
    about = intervals_of([score for row in rows for score in row.scores.values()], count)
    interval = f"\\[low, high]: {about}" if about.startswith("95") else about
    published = "" if results.published is None else " · *as published, not reproduced"
    return f"{interval} · protocol digest {results.protocol_digest[:12]}{published}"


def cell(score: Score | None, digits: int | None = None) -> str:
    """Return a score as text, with its interval on a second line; nothing of no score."""
    if score is None:
        return ""
    lines = value_text(score, digits), interval_text(score, digits).replace("[", r"\[")
    return "\n".join(filter(None, lines))


def size(num_bytes: float) -> str:
    """Return bytes in the unit a person would use."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 1000 or unit == "GB":
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    raise AssertionError("unreachable")
