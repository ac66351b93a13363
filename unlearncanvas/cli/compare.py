"""``unlearncanvas compare A B``: two finished rows on the same cells and seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from metrics.per_image import PerImage
    from unlearncanvas.publish.report.leaderboards import Run
    from unlearncanvas.results.export import Table
    from unlearncanvas.results.headings import Heading
    from unlearncanvas.results.schema import Row

console = Console(emoji=False)
PLACES = 5
"""Details that are named for each group."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two that are compared.

    Attributes:
        label: Its name in tables.
        run: The run that it is from.
        rows: By what they were measured on.
    """

    label: str
    run: "Run"
    rows: "Mapping[str, Row]"

    def per_image(self, name: str) -> "Mapping[str, PerImage]":
        """Return the values of single images of one row, by score."""
        from unlearncanvas.engine.stored_rows import per_image

        return per_image(self.run.path, self.run.results, self.rows[name])


def compare(
    first: Annotated[Path, typer.Argument(help="Run folder or results.json.")],
    second: Annotated[Path, typer.Argument(help="Another of the same protocol.")],
    eraser: Annotated[
        list[str] | None,
        typer.Option(help="Which eraser of each, where there are several; give it twice."),
    ] = None,
) -> None:
    """Compare two runs image by image: differences with intervals, and where they come from.

    Differences are first minus second, in the score's unit, over the images that both drew for the
    same target or attack, cell and seed; intervals and p are over cells. A score that is neither a
    share of images nor a mean over them has no p: the two values are set side by side.
    """
    from unlearncanvas.results.export import to_terminal

    chosen: list[str | None] = list(eraser or [])
    if len(chosen) > 2:
        raise ValueError(f"--eraser is given once or twice, got {len(chosen)}")
    wanted = chosen * 2 if len(chosen) == 1 else chosen or [None, None]
    one, two = (_side(place, name) for place, name in zip((first, second), wanted, strict=True))
    digests = [side.run.results.protocol_digest for side in (one, two)]
    if digests[0] != digests[1]:
        raise ValueError(
            f"{first} is of protocol digest {digests[0][:12]}, {second} of {digests[1][:12]}: "
            "only runs of one protocol can be compared"
        )
    shared = [name for name in one.rows if name in two.rows]
    if not shared:
        raise ValueError(f"{one.label} and {two.label} were measured on nothing in common")
    console.print(to_terminal(_table(one, two, shared)))
    for name in shared:
        line = _where(one.rows[name], two.rows[name])
        if line:
            console.print(f"{name}: {line}", soft_wrap=True, markup=False, emoji=False)


def _side(place: Path, eraser: str | None) -> Side:
    """The eraser of a place that has rows of single models."""
    from unlearncanvas.publish.report.collect import collect

    found: dict[tuple[Path, str], Side] = {}
    known: dict[str, None] = {}
    for leaderboard in collect([place]).leaderboards:
        for row in leaderboard.rows.values():
            known[row.label] = None
            if row.rows and (row.label == eraser if eraser else row.status != "reference"):
                key = row.source, row.run_label
                before = found[key].rows if key in found else {}
                found[key] = Side(label=row.label, run=row.run, rows={**before, **row.rows})
    if len(found) != 1:
        raise ValueError(
            f"{place} holds {len(found)} erasers that fit; name one of: {', '.join(known)}"
        )
    return next(iter(found.values()))


def _table(one: Side, two: Side, groups: Sequence[str]) -> "Table":
    """A line for every group and score."""
    from unlearncanvas.results.export import Column, Table

    second = two.label if two.label != one.label else f"{two.label} (second)"
    measured = " ".join(one.rows[groups[0]].group)
    return Table(
        title=f"{one.label} - {second}, {one.run.results.protocol}",
        columns=[
            Column(measured, "left"),
            Column("metric", "left"),
            *map(Column, (one.label, second, "difference", "p", "images")),
        ],
        rows=[(group, *line) for group in groups for line in _lines(one, two, group)],
    )


def _lines(one: Side, two: Side, group: str) -> Iterator[tuple[str, ...]]:
    """A line for every score: shares and means image by image, others by their values."""
    from unlearncanvas.results.headings import headings_of, value_text

    values = one.per_image(group), two.per_image(group)
    scores = [side.rows[group].scores for side in (one, two)]
    for heading in headings_of(scores):
        name, label, digits = heading
        if all(name in side for side in values):
            yield label, *_paired(heading, *(side[name] for side in values))
        elif all(name in side for side in scores):
            first, second = (side[name] for side in scores)
            change = first.model_copy(update={"value": first.value - second.value})
            texts = [value_text(score, digits) for score in (first, second, change)]
            yield label, *texts, "", f"{first.n}"


def _paired(heading: "Heading", one: "PerImage", two: "PerImage") -> Iterator[str]:
    """Both scores, their difference with its interval, p, and the number of images."""
    from metrics.paired import paired_scores
    from metrics.per_image import PerImage

    places = [dict.fromkeys(zip(side.cells, side.seeds, strict=True)) for side in (one, two)]
    shared = [place for place in places[0] if place in places[1]]
    cells, seeds = [cell for cell, _ in shared], [seed for _, seed in shared]
    both = []
    for side in (one, two):
        order = {place: row for row, place in enumerate(zip(side.cells, side.seeds, strict=True))}
        both.append(PerImage(side.values[[order[place] for place in shared]], cells, seeds))
    found = paired_scores(*both)
    (low, high), digits = found.interval, 1 if heading.digits is None else heading.digits
    yield from (f"{images.in_unit.mean():.{digits}f}" for images in both)
    yield f"{found.value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
    yield f"{found.p_value:.2g}"
    yield f"{len(shared)}"


def _where(one: "Row", two: "Row") -> str:
    """The details in which they differ most: how often each concept is found where requested."""
    first, second = one.details, two.details
    gaps = {name: first[name].value - second[name].value for name in first if name in second}
    most = sorted(gaps, key=lambda name: -abs(gaps[name]))[:PLACES]
    gained = ", ".join(f"{name} {gaps[name]:+.1f}" for name in most if gaps[name])
    if gaps and not gained:
        return "no concept is found more often by one than by the other"
    return gained
