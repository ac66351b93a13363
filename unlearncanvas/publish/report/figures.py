"""The plots of a leaderboard: forgetting against retention, ranks, costs, where the damage went."""

import itertools
import math
from collections.abc import Callable, Sequence
from string import ascii_letters

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from metrics.base import Score
from unlearncanvas.publish.report.leaderboards import Leaderboard, LeaderboardRow
from unlearncanvas.results.separations import SeparatedRows

UA, IRA, CRA = (
    "unlearning_accuracy",
    "in_domain_retain_accuracy",
    "cross_domain_retain_accuracy",
)
SMALLEST, LARGEST = 9, 34
"""Diameter of a point, in pixels."""
ACCENT = "#4c78a8"
FAINT = "rgba(128,128,128,0.25)"
COLORS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#eeca3b", "#b279a2", "#ff9da6",
          "#9d755d", "#8c8c8c", "#2f9e8f", "#a05195")  # fmt: skip
SYMBOLS = {"reference": "x", "ranked": "circle", "degenerate": "circle-open"}
COSTS = (
    ("work, UFE", lambda row: row.ufe + row.gallery_ufe if row.ufe is not None else None),
    ("erasing, s", lambda row: row.erase_seconds),
    ("stored, MB", lambda row: row.stored_bytes / 1e6 if row.stored_bytes is not None else None),
    ("an image, ms", lambda row: 1e3 * row.seconds_per_image if row.seconds_per_image else None),
    ("an image, UFE", lambda row: row.ufe_per_image),
)


def trade_off(leaderboard: Leaderboard, kind: str) -> go.Figure | None:
    """Return UA against the mean of IRA and CRA, a point an eraser, its work as its size."""
    shown = [row for row in leaderboard.rows.values() if _retained(row, kind) is not None]
    if not shown:
        return None
    figure = go.Figure()
    front = _front([(_retained(row, kind), row.score(kind, UA)) for row in shown])
    figure.add_scatter(
        x=[x for x, _ in front], y=[y for _, y in front], mode="lines", name="Pareto front",
        line={"dash": "dot", "color": "#888"}, hoverinfo="skip",
    )  # fmt: skip
    for row, color in zip(shown, itertools.cycle(COLORS), strict=False):
        kept, gone = _retained(row, kind), row.score(kind, UA)
        if kept is None or gone is None:
            continue
        figure.add_scatter(
            x=[kept.value], y=[gone.value], mode="markers", name=row.label,
            marker={
                "size": _diameter(row, kind), "symbol": SYMBOLS[row.status],
                "color": color, "opacity": 0.7,
            },
            error_x=_bar(kept, color), error_y=_bar(gone, color),
            hovertemplate=f"{row.label}<br>retained %{{x:.1f}} %<br>forgotten %{{y:.1f}} %"
            "<extra></extra>",
        )  # fmt: skip
    least = min((kept for kept in map(_ranked(kind), shown) if kept is not None), default=0.0)
    figure.update_xaxes(title="retained: mean of IRA and CRA, %", range=[least - 4, 101.5])
    figure.update_layout(legend={"itemsizing": "constant"})
    figure.update_yaxes(title=f"forgotten: UA of {kind} targets, %", range=[-6, 112])
    return _plain(figure)


def ranks(measured: SeparatedRows) -> go.Figure:
    """Return a line an eraser from its best to its worst rank; a bar joins each group."""
    found = measured.found
    place = {row: place for place, row in enumerate(found.order, start=1)}
    intervals = found.ranks()
    figure = go.Figure()
    figure.add_scatter(
        x=list(place.values()), y=[measured.labels[row] for row in place], mode="markers+text",
        text=[measured.value(row) for row in place], textposition="top center", showlegend=False,
        marker={"size": SMALLEST, "color": ACCENT}, hoverinfo="skip",
        error_x={
            "type": "data", "symmetric": False, "color": ACCENT,
            "array": [intervals[row].worst - place[row] for row in place],
            "arrayminus": [place[row] - intervals[row].best for row in place],
        },
    )  # fmt: skip
    for letter, group in zip(ascii_letters, found.groups(), strict=False):
        column = len(place) + 1 + ascii_letters.index(letter) / 2
        figure.add_scatter(
            x=[column] * len(group), y=[measured.labels[row] for row in group], showlegend=False,
            mode="lines+markers", line={"width": 4, "color": "#888"}, hoverinfo="name", name=letter,
        )  # fmt: skip
        figure.add_annotation(
            x=column, y=1, yref="paper", yanchor="bottom", text=letter, showarrow=False
        )
    ticks = list(place.values())
    figure.update_xaxes(title=f"rank: {measured.title}", tickvals=ticks)
    figure.update_yaxes(autorange="reversed", type="category")
    return _plain(figure)


def costs(leaderboard: Leaderboard) -> go.Figure:
    """Return a bar an eraser for work, time, bytes; the mean of both kinds of targets."""
    tested = [row for row in leaderboard.rows.values() if row.status != "reference"]
    figure = make_subplots(
        cols=len(COSTS), shared_yaxes=True, subplot_titles=[name for name, _ in COSTS]
    )
    for column, (name, of) in enumerate(COSTS, start=1):
        values = []
        for row in tested:
            known = [value for value in map(of, row.means.values()) if value is not None]
            values.append(sum(known) / len(known) if known else None)
        labels = [row.label for row in tested]
        figure.add_bar(
            x=values, y=labels, orientation="h", marker_color=ACCENT, showlegend=False, row=1,
            col=column, hovertemplate="%{y}: %{x:,.3~g} " + name + "<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    return _plain(figure)


def damage(row: LeaderboardRow) -> go.Figure | None:
    """Return the heat map target x concept: how often each is found where it is asked for."""
    targets = list(row.rows)
    concepts = list(dict.fromkeys(name for item in row.rows.values() for name in item.details))
    if not concepts:
        return None
    values = [
        [_value(row.rows[target].details.get(name)) for name in concepts] for target in targets
    ]
    figure = go.Figure(
        go.Heatmap(
            z=values, x=[name.partition(":")[2] for name in concepts],
            y=[name.partition(":")[2] for name in targets], zmin=0, zmax=100, colorscale="RdYlBu",
            xgap=1, ygap=1, colorbar={"title": "%"},
            hovertemplate="%{y} forgotten: %{x} found in %{z:.1f} %<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="what was asked for", tickangle=-45, type="category")
    figure.update_yaxes(title="what was forgotten", autorange="reversed", type="category")
    return _plain(figure)


def _plain(figure: go.Figure) -> go.Figure:
    """Without a background or colours of text: the page gives them, light or dark."""
    figure.update_layout(
        template="none", paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 70, "r": 20, "t": 30, "b": 60},
    )  # fmt: skip
    lines = {"gridcolor": FAINT, "zerolinecolor": FAINT, "automargin": True}
    figure.update_xaxes(**lines, title_standoff=12)
    figure.update_yaxes(**lines, title_standoff=12)
    return figure


def _retained(row: LeaderboardRow, kind: str) -> Score | None:
    """The mean of IRA and CRA; an interval where both have one, as wide as both together say."""
    scores = [row.score(kind, name) for name in (IRA, CRA)]
    known = [score for score in scores if score is not None]
    if len(known) < len(scores) or row.score(kind, UA) is None:
        return None
    value = sum(score.value for score in known) / len(known)
    lows = [score.low for score in known if score.low is not None]
    highs = [score.high for score in known if score.high is not None]
    if len(lows) < len(known) or len(highs) < len(known):
        return Score(value=value, n=known[0].n)
    low, high = sum(lows) / len(lows), sum(highs) / len(highs)
    return Score(value=value, n=known[0].n, low=min(low, value), high=max(high, value))


def _front(points: Sequence[tuple[Score | None, Score | None]]) -> list[tuple[float, float]]:
    """The points that no other beats in both, from left to right."""
    values = [(x.value, y.value) for x, y in points if x is not None and y is not None]
    best = [
        one
        for one in values
        if not any(other != one and other[0] >= one[0] and other[1] >= one[1] for other in values)
    ]
    return sorted(set(best))


def _ranked(kind: str) -> Callable[[LeaderboardRow], float | None]:
    """What an eraser retains; None for one that is only there to compare, and off the plot."""

    def kept(row: LeaderboardRow) -> float | None:
        score = _retained(row, kind)
        return None if score is None or row.status != "ranked" else score.value

    return kept


def _bar(score: Score, color: str) -> dict[str, object]:
    if score.low is None or score.high is None:
        return {"visible": False}
    return {
        "type": "data", "symmetric": False, "array": [score.high - score.value],
        "arrayminus": [score.value - score.low], "thickness": 1, "color": color,
    }  # fmt: skip


def _diameter(row: LeaderboardRow, kind: str) -> float:
    """Grows with the logarithm of the work; unknown work is drawn small."""
    mean = row.means[kind]
    work = 0.0 if mean.ufe is None else mean.ufe + mean.gallery_ufe
    return min(LARGEST, SMALLEST + 5 * math.log10(1 + work))


def _value(score: Score | None) -> float | None:
    return None if score is None else score.value
