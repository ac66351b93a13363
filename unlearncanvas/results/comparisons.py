"""Differences of two rows on the same images, as tables: one for each group and score."""

from collections.abc import Sequence

from unlearncanvas.results.export import Column, Table
from unlearncanvas.results.headings import heading_of
from unlearncanvas.results.schema import Comparison, Results, group_name


def comparison_tables(results: Results) -> list[Table]:
    """Return the comparisons of a run."""
    found: dict[tuple[str, str], list[Comparison]] = {}
    for item in results.comparisons:
        found.setdefault((group_name(item.group), item.score), []).append(item)
    return [
        comparison_table(
            f"{group}: {heading_of(score).label} of two rows on the same images", items
        )
        for (group, score), items in found.items()
    ]


def comparison_table(title: str, items: Sequence[Comparison]) -> Table:
    """Return a table of comparisons of one group and score."""
    digits, unit = heading_of(items[0].score).digits, items[0].unit
    places = 1 if digits is None else digits
    return Table(
        title=title,
        columns=(
            Column("first", "left", wrap=False),
            Column("second", "left", wrap=False),
            Column("first - second", wrap=False),
            Column("p", wrap=False),
        ),
        rows=[
            (
                item.first,
                item.second,
                f"{item.difference:+.{places}f} [{item.low:+.{places}f}, {item.high:+.{places}f}]",
                f"{item.p_value:.2g}",
            )
            for item in items
        ],
        caption=f"{'points' if unit == '%' else unit}, 95 % interval; p: t test over cells, not "
        "corrected for the many tests",
    )
