"""The table that a run ends with."""

from collections.abc import Sequence

from rich.table import Table

from unlearncanvas.config import CONFIG_DIR, read_yaml
from unlearncanvas.plan import BASELINES
from unlearncanvas.results import Row, RunResults
from unlearncanvas.types import Score

COLUMNS = (
    ("UA ↑", "unlearning_accuracy"),
    ("IRA ↑", "in_domain_retain_accuracy"),
    ("CRA ↑", "cross_domain_retain_accuracy"),
    ("IRA with Photo ↑", "in_domain_retain_accuracy_with_photo"),
    ("CRA whole grid ↑", "cross_domain_retain_accuracy_whole_grid"),
    ("CRA on target ↑", "target_cross_domain_accuracy"),
    ("FID ↓", "fid_minicanvas"),
    ("KID x1000 ↓", "kid_minicanvas"),
    ("FID ↓", "fid_inception_clean"),
    ("KID x1000 ↓", "kid_inception_clean"),
    ("FID (torchvision) ↓", "fid_inception_torchvision"),
)
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
        f"Forgetting {count} {kind}{'s' if count > 1 else ''} · {results.protocol} "
        f"{results.tier}{limit} · {len(results.seeds)} seed{'s' if len(results.seeds) > 1 else ''}"
    )
    table = Table(title=title, title_style="bold", caption=_caption(results, count))
    table.add_column("eraser", no_wrap=True)
    columns = [item for item in COLUMNS if item[1] in rows[0].scores]
    for heading, _ in columns:
        table.add_column(heading, justify="right", overflow="fold")
    for row in rows:
        cells = [cell(row.scores[name]) for _, name in columns]
        table.add_row(row.label, *cells, style="dim" if row.label in BASELINES else "bold")
        said = _published(results.published, row)
        if said:
            table.add_row(
                f"{row.label}, as published*", *(said.get(name, "") for _, name in columns)
            )
    floor = [cell(results.floors[name]) if name in results.floors else "" for _, name in columns]
    table.add_section()
    table.add_row("real images", *floor, style="dim")
    return table


def _published(reference: str | None, row: Row) -> dict[str, str]:
    """What a published table says of an eraser, by metric; nothing if it has no such row."""
    if reference is None:
        return {}
    rows = read_yaml(CONFIG_DIR / "published" / f"{reference}.yaml")["rows"]
    values = rows.get(row.label, {}).get(row.kind, [])
    return {name: f"{value:.1f}" for (_, name), value in zip(COLUMNS, values, strict=False)}


def _costs(rows: Sequence[Row]) -> Table:
    table = Table(title="What an erasure costs", title_style="bold")
    table.add_column("eraser", no_wrap=True)
    table.add_column("targets")
    for heading in COST:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        style = "dim" if row.label in BASELINES else "bold"
        table.add_row(row.label, row.kind, *cost(row), style=style)
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


def _caption(results: RunResults, count: int) -> str:
    interval = (
        r"\[low, high]: 95 % over targets; the erasing seed's variance is not in it"
        if count >= 5
        else "fewer than five targets: means only, intervals per target are in result.json"
    )
    published = "" if results.published is None else " · *as published, not reproduced"
    return f"{interval} · protocol digest {results.protocol_digest[:12]}{published}"


def cell(score: Score) -> str:
    """Return a score as text, with its interval on a second line; fewer digits of large ones."""
    places = sum(abs(score.value) < limit for limit in (10, 1000))
    digits = 1 if score.unit == "%" else places
    text = f"{score.value:.{digits}f}"
    if score.low is not None and score.high is not None:
        text += f"\n[{score.low:.{digits}f}, {score.high:.{digits}f}]"
    return text.replace("[", r"\[")


def size(num_bytes: float) -> str:
    """Return bytes in the unit a person would use."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 1000 or unit == "GB":
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    raise AssertionError("unreachable")
