"""``unlearncanvas compare A B``: two erased models on the same cells and seeds."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from metrics.base import MetricInputs, Predictions
    from metrics.proportion import ProportionMetric
    from unlearncanvas.publish.report.collect import Leaderboard, LeaderboardRow

console = Console(emoji=False)
PLACES = 5
"""Concepts that are named for each target."""


def compare(
    first: Annotated[Path, typer.Argument(help="Run folder or results.json.")],
    second: Annotated[Path, typer.Argument(help="Another of the same protocol.")],
    eraser: Annotated[
        list[str] | None,
        typer.Option(help="Which eraser of each, where there are several; give it twice."),
    ] = None,
) -> None:
    """Compare two runs image by image: differences with intervals, and where they come from.

    Differences are first minus second, in points, over the images that both drew for the same
    target, cell and seed; intervals and p are over cells. A metric that is no share of images has
    no p: its two scores are set side by side.
    """
    from unlearncanvas.publish.report.collect import collect

    chosen: list[str | None] = list(eraser or [])
    if len(chosen) > 2:
        raise ValueError(f"--eraser is given once or twice, got {len(chosen)}")
    wanted = chosen * 2 if len(chosen) == 1 else chosen or [None, None]
    (board, one), (other, two) = (
        _entry(place, collect([place]).boards, name)
        for place, name in zip((first, second), wanted, strict=True)
    )
    if board.run.protocol_digest != other.run.protocol_digest:
        raise ValueError(
            f"{first} is of protocol digest {board.run.protocol_digest[:12]}, {second} of "
            f"{other.run.protocol_digest[:12]}: only runs of one protocol can be compared"
        )
    shared = [target for target in one.results if target in two.results]
    if not shared:
        raise ValueError(f"{one.label} and {two.label} have no target in common")
    names = one.label, two.label if two.label != one.label else f"{two.label} (second)"
    left, right = map(escape, names)
    table = Table(title=f"{left} - {right}, {escape(board.run.protocol)}", title_style="bold")
    for heading in ("target", "metric", left, right, "difference", "p", "images"):
        table.add_column(heading, justify="left" if heading in ("target", "metric") else "right")
    for target in shared:
        for _, *row in _rows(board, one, two, target):
            table.add_row(escape(target), *row)
        table.add_section()
    console.print(table)
    for target in shared:
        console.print(_where(one, two, target), soft_wrap=True, markup=False, emoji=False)


def _entry(
    place: Path, boards: "list[Leaderboard]", eraser: str | None
) -> "tuple[Leaderboard, LeaderboardRow]":
    """The eraser of a place that has results of single targets."""
    from unlearncanvas.results.schema import BASELINES

    found = [
        (board, entry)
        for board in boards
        for entry in board.entries.values()
        if entry.results and (entry.label == eraser if eraser else entry.eraser not in BASELINES)
    ]
    if len(found) != 1:
        known = ", ".join(entry.label for board in boards for entry in board.entries.values())
        raise ValueError(f"{place} holds {len(found)} erasers that fit; name one of: {known}")
    return found[0]


def _rows(
    board: "Leaderboard", one: "LeaderboardRow", two: "LeaderboardRow", target: str
) -> Iterator[tuple[str, ...]]:
    """A line for every metric: shares image by image, others by their scores."""
    from metrics.base import MetricInputs
    from metrics.proportion import ProportionMetric
    from unlearncanvas.core.method_config import load_metric
    from unlearncanvas.core.registry import names
    from unlearncanvas.results.headings import headings_of, value_text
    from unlearncanvas.types import Concept

    plain = _reference_style(board)
    pair = aligned(predictions_of(one, target), predictions_of(two, target))
    both_inputs = [
        MetricInputs(predictions=side, target=Concept.parse(target), reference_style=plain)
        for side in pair
    ]
    scores = [side.results[target].scores for side in (one, two)]
    for name, label, digits in headings_of(scores):
        metric = load_metric(name) if name in names("metrics") else None
        if isinstance(metric, ProportionMetric):
            if metric.outcomes(both_inputs[0]).included.any():
                yield target, label, *_paired(metric, both_inputs)
        elif name in scores[0] and name in scores[1]:
            first, second = scores[0][name], scores[1][name]
            change = first.model_copy(update={"value": first.value - second.value})
            values = value_text(first, digits), value_text(second, digits)
            yield target, label, *values, f"{value_text(change, digits)}", "", f"{first.n}"


def _paired(metric: "ProportionMetric", both_inputs: "Sequence[MetricInputs]") -> Iterator[str]:
    """Both proportions, their difference with its interval, p, and the number of images."""
    from metrics.paired import paired_difference

    (included, first), (_, second) = (metric.outcomes(inputs) for inputs in both_inputs)
    predictions = both_inputs[0].predictions.select(included)
    hits = first[included], second[included]
    found = paired_difference(*hits, cells=predictions.cells, seeds=predictions.seeds)
    low, high = (100 * end for end in found.interval)
    digits = 1 if metric.digits is None else metric.digits
    yield from (f"{100 * hit.mean():.{digits}f}" for hit in hits)
    yield f"{100 * found.value:+.{digits}f} \\[{low:+.{digits}f}, {high:+.{digits}f}]"
    yield f"{found.p_value:.2g}"
    yield f"{len(predictions.cells)}"


def predictions_of(entry: "LeaderboardRow", target: str) -> "Predictions":
    """Return what the detectors saw for a target: from a run's chunks, or from a bundle.

    Raises:
        ValueError: If the images' rows are not there any more.
    """
    import pyarrow.parquet as pq

    from unlearncanvas.engine.chunks import to_predictions
    from unlearncanvas.publish.submissions.submit import chunks_of

    file, result = entry.files[target], entry.results[target]
    bundled = [file.with_name(f"seed{seed}.parquet") for seed in result.seeds]
    if all(path.is_file() for path in bundled):
        return to_predictions([pq.read_table(path) for path in bundled])
    return to_predictions([chunk.read() for chunk in chunks_of(file, result)])


def aligned(one: "Predictions", two: "Predictions") -> "tuple[Predictions, Predictions]":
    """Return both in one order, without what only one of them has."""
    places = [list(zip(side.cells, side.seeds, strict=True)) for side in (one, two)]
    shared = set(places[0]) & set(places[1])
    kept = []
    for side, where in zip((one, two), places, strict=True):
        order = {place: row for row, place in enumerate(where)}
        kept.append(side.take([order[place] for place in places[0] if place in shared]))
    return kept[0], kept[1]


def _where(one: "LeaderboardRow", two: "LeaderboardRow", target: str) -> str:
    """The concepts on which they differ most, by how often each is found where it is asked for."""
    first, second = (side.results[target].concept_accuracy for side in (one, two))
    gaps = {name: first[name].value - second[name].value for name in first if name in second}
    most = sorted(gaps, key=lambda name: -abs(gaps[name]))[:PLACES]
    told = ", ".join(f"{name} {gaps[name]:+.1f}" for name in most if gaps[name])
    return f"{target}: {told or 'no concept is found more often by one than by the other'}"


def _reference_style(board: "Leaderboard") -> str:
    from unlearncanvas.canvases.unlearncanvas.names import PHOTO
    from unlearncanvas.core.registry import names
    from unlearncanvas.evaluations.grid.protocol import load_protocol

    known = board.run.protocol in names("protocols")
    return load_protocol(board.run.protocol).reference_style if known else PHOTO
