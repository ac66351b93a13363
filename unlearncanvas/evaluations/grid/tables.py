"""Tables of the grid evaluation."""

from collections.abc import Mapping, Sequence
from typing import Literal

from metrics.base import Score
from unlearncanvas.core.method_config import image_sets_of
from unlearncanvas.core.registry import CONFIG_DIR, names, read_yaml
from unlearncanvas.evaluations.grid.wordings import worded_seeds
from unlearncanvas.results.cells import BASELINES, score_cell, size
from unlearncanvas.results.export import Column, Table
from unlearncanvas.results.headings import Heading, directed, headings_of, intervals_of
from unlearncanvas.results.schema import MeanRow, Results

COST = ("UFE", "seconds", "peak", "stored", "ms an\nimage", "UFE an\nimage")


def tables(results: Results) -> list[Table]:
    """Return the scores of style and of object targets, in other wordings too, and costs."""
    found = []
    for kind in ("style", "object"):
        rows = [row for row in results.means if row.kind == kind]
        if rows:
            count = f"{len(rows[-1].targets)} {kind}{'s' if len(rows[-1].targets) > 1 else ''}"
            worded, main = _apart(headings_of(row.scores for row in rows))
            seeds = len(results.seeds)
            found.append(_scores(f"Forgetting {count}", rows, main, results, seeds=seeds))
            if worded:
                title, half = f"In other words: {count}", len(worded_seeds(results.seeds))
                found.append(_scores(title, rows, worded, results, seeds=half))
    return [*found, _costs(results.means)]


def _apart(headings: Sequence[Heading]) -> tuple[list[Heading], list[Heading]]:
    """The metrics of one image set of other wordings, and all others."""
    known = names("metrics")

    def worded(item: Heading) -> bool:
        return item.name in known and len(image_sets_of(item.name)) == 1

    return list(filter(worded, headings)), [item for item in headings if not worded(item)]


def _scores(
    title: str,
    rows: Sequence[MeanRow],
    headings: Sequence[Heading],
    results: Results,
    *,
    seeds: int,
) -> Table:
    """A table of some metrics; real images have a line where one of them is measured on those."""
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
    rule = None
    if any(item.name in results.real_vs_real for item in headings):
        rule = len(lines)
        emphasis[rule] = "dim"
        lines.append(_line("real images", results.real_vs_real, headings))
    return Table(
        title=(
            f"{title} · {results.protocol} {results.tier}{', subset' if results.subset else ''} · "
            f"{seeds} seed{'s' if seeds > 1 else ''}"
        ),
        columns=tuple(columns),
        rows=lines,
        rule=rule,
        emphasis=emphasis,
        caption=_caption(results, rows, len(rows[-1].targets)),
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
