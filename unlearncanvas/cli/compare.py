"""``unlearncanvas compare RUNS``: which differences between erasers are real."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from unlearncanvas.results.export import Column, Format, Table, render, to_terminal

if TYPE_CHECKING:
    from metrics.per_image import PerImage
    from unlearncanvas.publish.report.separated import Side
    from unlearncanvas.results.headings import Heading
    from unlearncanvas.results.schema import Row

console = Console(emoji=False)
PLACES = 5
"""Details that are named for each group."""


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders, results.json files, or bundles.")
    ],
    eraser: Annotated[
        list[str] | None,
        typer.Option(help="Which eraser of each run; give it once, or once for each run."),
    ] = None,
    measure: Annotated[
        list[str] | None, typer.Option(help="Score to compare by; repeatable. Default: all.")
    ] = None,
    format_name: Annotated[
        Format | None, typer.Option("--format", help="Print the tables alone, in this format.")
    ] = None,
) -> None:
    """Compare erasers image by image: which differences are real.

    Two erasers: differences with intervals, first minus second in the score's unit, over the images
    that both drew for the same target or attack, cell and seed; intervals and p are over cells. A
    score that is neither a share of images nor a mean over them has no p.

    More: for each measure the pairs that are told apart, one by one and simultaneously, ranks with
    intervals, and groups. All protocols must be the same; images that not all drew do not count.
    """
    from unlearncanvas.publish.report.separated import shared_groups

    sides = _sides(runs, eraser or [])
    shared = shared_groups(sides)
    if not shared:
        labels = ", ".join(side.label for side in sides)
        raise ValueError(f"{labels} were measured on nothing in common")
    _check_measures(measure or [], [side.rows[name] for side in sides for name in shared])
    pair = len(sides) == 2
    tables = _pair_tables if pair else _separation_tables
    found = tables(sides, measure or [])
    if format_name is not None:
        typer.echo("\n".join(render(table, format_name) for table in found), nl=False)
        return
    for table in found:
        console.print(to_terminal(table))
    for name in shared if pair else ():
        line = _where(*(side.rows[name] for side in sides))
        if line:
            console.print(f"{name}: {line}", soft_wrap=True, markup=False, emoji=False)


def _sides(places: Sequence[Path], erasers: Sequence[str]) -> "list[Side]":
    """The erasers to compare: all of every place, or those that are named."""
    from dataclasses import replace

    if erasers and len(places) > 1 and len(erasers) not in (1, len(places)):
        raise ValueError(
            f"--eraser is given once, or once for each of the {len(places)} runs, "
            f"got {len(erasers)}"
        )
    if erasers:
        one_of_each = zip(
            list(places) * (len(erasers) if len(places) == 1 else 1),
            list(erasers) * (len(places) if len(erasers) == 1 else 1),
            strict=True,
        )
        found = [side for place, eraser in one_of_each for side in _of_place(place, eraser)]
    else:
        every = [side for place in places for side in _of_place(place, None)]
        found = list({(side.run.path, side.run_label): side for side in every}.values())
    if len(found) < 2:
        raise ValueError(f"{found[0].label} is the only eraser here; name another run")
    first = found[0].run
    for run in (side.run for side in found):
        if run.results.protocol_digest != first.results.protocol_digest:
            raise ValueError(
                f"{first.path} is of protocol digest {first.results.protocol_digest[:12]}, "
                f"{run.path} of {run.results.protocol_digest[:12]}: "
                "only runs of one protocol can be compared"
            )
    labels = [side.label for side in found]
    earlier = [labels[:place].count(label) for place, label in enumerate(labels)]
    return [
        replace(side, label=f"{side.label} ({1 + before})") if before else side
        for side, before in zip(found, earlier, strict=True)
    ]


def _of_place(place: Path, eraser: str | None) -> "list[Side]":
    """The erasers of a place that have rows of single models; with a name, that one."""
    from unlearncanvas.publish.report.collect import collect
    from unlearncanvas.publish.report.separated import Side

    found: dict[tuple[Path, str], Side] = {}
    known: dict[str, None] = {}
    for leaderboard in collect([place]).leaderboards:
        for row in leaderboard.rows.values():
            known[row.label] = None
            if row.rows and (row.label == eraser if eraser else row.status != "reference"):
                key = row.source, row.run_label
                before = found[key].rows if key in found else {}
                rows = {**before, **row.rows}
                found[key] = Side(label=row.label, run_label=row.run_label, run=row.run, rows=rows)
    if not found or (eraser and len(found) > 1):
        raise ValueError(
            f"{place} holds {len(found)} erasers that fit; name one of: {', '.join(known)}"
        )
    return list(found.values())


def _check_measures(measures: Sequence[str], rows: "Sequence[Row]") -> None:
    """Refuse a score that none of the rows has."""
    known = dict.fromkeys(name for row in rows for name in row.scores)
    unknown = [name for name in measures if name not in known]
    if unknown:
        raise ValueError(f"no score named {unknown[0]!r} here; choose from {', '.join(known)}")


def _separation_tables(sides: "Sequence[Side]", measures: Collection[str]) -> list[Table]:
    """How many pairs each measure tells apart, then each measure."""
    from unlearncanvas.publish.report.separated import separated, shared_groups
    from unlearncanvas.results.headings import headings_of
    from unlearncanvas.results.separations import separation_table, summary_table

    found = separated(sides, measures)
    if not found:
        raise ValueError("none of these scores has values for enough images of all erasers")
    shown = {item.heading.name for item in found}
    known = headings_of(sides[0].rows[name].scores for name in shared_groups(sides))
    left_out = [item.label for item in known if item.name not in shown and not measures]
    return [summary_table(found, left_out), *map(separation_table, found)]


def _pair_tables(sides: "Sequence[Side]", measures: Collection[str]) -> list[Table]:
    """A line for every group and score of two erasers."""
    from unlearncanvas.publish.report.separated import shared_groups

    one, two = sides
    groups = shared_groups(sides)
    table = Table(
        title=f"{one.label} - {two.label}, {one.run.results.protocol}",
        columns=[
            Column(" ".join(one.rows[groups[0]].group), "left"),
            Column("metric", "left"),
            *map(Column, (one.label, two.label, "difference", "p", "images")),
        ],
        rows=[(group, *line) for group in groups for line in _lines(one, two, group, measures)],
    )
    return [table]


def _lines(
    one: "Side", two: "Side", group: str, measures: Collection[str]
) -> Iterator[tuple[str, ...]]:
    """A line for every score: shares and means image by image, others by their values."""
    from unlearncanvas.results.headings import headings_of, value_text

    values = one.per_image(group), two.per_image(group)
    scores = [side.rows[group].scores for side in (one, two)]
    for heading in headings_of(scores):
        name, label, digits = heading
        if measures and name not in measures:
            continue
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
    if not shared:
        raise ValueError("they have no image in common: name runs of the same seeds")
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
