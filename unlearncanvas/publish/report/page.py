"""Leaderboards to a page: one HTML file, its pictures and its data beside it."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from plotly.offline import get_plotlyjs

from unlearncanvas.core.files import write_text
from unlearncanvas.publish.report.columns import columns_of, intervals_text
from unlearncanvas.publish.report.figures import costs, damage, ranks, trade_off
from unlearncanvas.publish.report.leaderboards import Collection, Leaderboard, LeaderboardRow
from unlearncanvas.publish.report.separated import separated_rows
from unlearncanvas.publish.report.tables import commands_of, other_comparisons, tables_of_group
from unlearncanvas.results.cells import score_cell
from unlearncanvas.results.export import score_parts
from unlearncanvas.results.headings import heading_of, interval_text, value_text
from unlearncanvas.results.schema import group_text
from unlearncanvas.results.separations import SeparatedRows, separation_table, summary_table

TEMPLATES = "unlearncanvas.publish.report"
QUALITY = 82
STATUSES = ("reference", "ranked", "degenerate")


class Page:
    """A page in the making."""

    def __init__(self, folder: Path, title: str) -> None:
        self.folder, self.title = folder, title
        self._figures: dict[str, Any] = {}

    def write(self, found: Collection) -> Path:
        """Write ``index.html`` with ``pictures/`` and ``data/``; return its path."""
        for part in ("pictures", "data"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        environment = Environment(
            loader=PackageLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        environment.filters |= {
            "value": value_text, "interval": interval_text, "parts": score_parts,
        }  # fmt: skip
        leaderboards = [
            self._leaderboard(index, leaderboard)
            for index, leaderboard in enumerate(found.leaderboards)
        ]
        html = environment.get_template("page.html.j2").render(
            title=self.title,
            css=_safe(_own("page.css")),
            js=_safe(_own("page.js")),
            plotly=_safe(get_plotlyjs()),
            figures=self._figures,
            leaderboards=leaderboards,
            filters=_filters(found),
            version=version("unlearncanvas"),
        )
        path = self.folder / "index.html"
        write_text(path, html)
        return path

    def _leaderboard(self, index: int, leaderboard: Leaderboard) -> dict[str, Any]:
        """What the page shows of a leaderboard: its own columns, or the evaluation's tables."""
        rows = sorted(leaderboard.rows.values(), key=lambda row: STATUSES.index(row.status))
        first = leaderboard.first
        measured = separated_rows(leaderboard)
        letters = {(item.kind, item.heading.name): item.letters() for item in measured}
        shown = {
            "title": leaderboard.title,
            "protocol": first.protocol,
            "model": first.model,
            "digest": first.protocol_digest[:12],
            "base_digest": first.base_digest,
            "seeds": first.seeds,
            "real_vs_real": _real_vs_real(leaderboard),
            "rows": [
                self._row(f"row-{index}-{place}", leaderboard, row, letters)
                for place, row in enumerate(rows)
            ],
            "separation": self._separation(measured),
            "comparisons": other_comparisons(leaderboard),
            "pictures": [
                {"name": name, **self._picture(path, f"leaderboard-{index}-{place}-{_plain(name)}")}
                for place, (name, path) in enumerate(leaderboard.pictures())
            ],
        }
        return shown | (_laid_out(leaderboard) if leaderboard.group else self._ranked(leaderboard))

    def _ranked(self, leaderboard: Leaderboard) -> dict[str, Any]:
        """What only means over targets have: a sortable table, the trade-off, costs."""
        plots = [(kind, trade_off(leaderboard, kind)) for kind in leaderboard.targets]
        return {
            "columns": columns_of(leaderboard),
            "intervals": intervals_text(leaderboard),
            "trade_offs": [
                (self._figure(figure), f"Forgetting {kind} targets against retention")
                for kind, figure in plots
                if figure is not None
            ],
            "costs": self._figure(costs(leaderboard)),
        }

    def _separation(self, measured: Sequence[SeparatedRows]) -> dict[str, Any] | None:
        """Which rows can be told apart: how many pairs, then a figure and a table a measure."""
        if not measured:
            return None
        return {
            "summary": summary_table(measured),
            "measures": [(self._figure(ranks(item)), separation_table(item)) for item in measured],
            "height": 9 + 1.8 * len(measured[0].labels),
        }

    def _row(
        self,
        name: str,
        leaderboard: Leaderboard,
        row: LeaderboardRow,
        letters: Mapping[tuple[str, str], Mapping[str, str]],
    ) -> dict[str, Any]:
        columns = [] if leaderboard.group else columns_of(leaderboard)
        figure = None if leaderboard.group else damage(row)
        copy = f"{name}-{_plain(row.label)}.json"
        shutil.copyfile(row.source, self.folder / "data" / copy)
        return {
            "id": name,
            "label": row.label,
            "about": row.about,
            "status": row.status,
            "trust": row.trust,
            "command": row.command,
            "cells": [
                column.cell(row)
                | {"letters": letters.get((column.kind, column.name), {}).get(row.label, "")}
                for column in columns
            ],
            "figure": None if figure is None else self._figure(figure),
            "data": copy,
            "height": 9 + 1.5 * len(row.rows),
            "settings": next((item.settings for item in row.rows.values()), {}),
            "facts": _facts(leaderboard, row, copy),
            "sheets": [
                {"target": target, **self._picture(path, f"{name}-{_plain(target)}")}
                for target, path in row.pictures.items()
            ],
        }

    def _figure(self, figure: go.Figure) -> str:
        name = f"figure-{len(self._figures)}"
        self._figures[name] = json.loads(figure.to_json())
        return name

    def _picture(self, path: Path, name: str) -> dict[str, object]:
        """Keep a picture as WebP, a quarter of the PNG; its size keeps the page from jumping."""
        place = Path("pictures") / f"{name}.webp"
        with Image.open(path) as image:
            image.convert("RGB").save(self.folder / place, quality=QUALITY)
            return {"file": place.as_posix(), "width": image.width, "height": image.height}


def _own(name: str) -> str:
    return (files(TEMPLATES) / "templates" / name).read_text(encoding="utf-8")


def _safe(text: str) -> Any:
    """Text of ours, or of plotly's, that the template must not escape."""
    from markupsafe import Markup

    return Markup(text.replace("</script", r"<\/script"))


def _plain(name: str) -> str:
    """A name as part of a file's name: nothing in it leaves the folder."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def _filters(found: Collection) -> list[tuple[str, str, list[str]]]:
    rows = [row for leaderboard in found.leaderboards for row in leaderboard.rows.values()]
    choices: Mapping[tuple[str, str], set[str]] = {
        ("protocol", "Protocol"): {item.first.protocol for item in found.leaderboards},
        ("family", "Family"): {row.about.family for row in rows},
        ("leaves", "Leaves"): {row.about.leaves for row in rows},
        ("trust", "Measured"): {row.trust for row in rows},
    }
    return [(name, label, sorted(held - {""})) for (name, label), held in choices.items()]


def _laid_out(leaderboard: Leaderboard) -> dict[str, Any]:
    """What only rows of one group have: the evaluation's tables and notes, commands of runs."""
    notes = leaderboard.first.notes.get(group_text(leaderboard.group), {})
    return {
        "tables": tables_of_group(leaderboard),
        "commands": commands_of(leaderboard),
        "notes": [(key.replace("_", " "), _note(value)) for key, value in notes.items()],
    }


def _note(value: object) -> str:
    """A note as text."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_note(item)}" for key, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _real_vs_real(leaderboard: Leaderboard) -> str:
    lines = []
    for name, score in leaderboard.first.real_vs_real.items():
        _, label, digits = heading_of(name)
        lines.append(f"{label} {score_cell(score, digits)}")
    return f"real images against real ones: {', '.join(lines)}" if lines else ""


def _facts(leaderboard: Leaderboard, row: LeaderboardRow, copy: str) -> list[tuple[str, str]]:
    """Digests, counts and settings of a row."""
    first = leaderboard.first
    facts = [
        ("measured", row.trust),
        ("result file", f"data/{copy}"),
        ("protocol", f"{first.protocol}, digest {first.protocol_digest}"),
        ("base model", f"{first.model}, digest {first.base_digest}"),
    ]
    for target, item in row.rows.items():
        made = item.artifact_digest[:16] or "none"
        facts.append((target, f"{item.num_images} images, artifact {made}"))
    machine = [first.environment.get(key, "") for key in ("device_name", "torch")]
    return [*facts, ("machine, torch", ", ".join(machine))]
