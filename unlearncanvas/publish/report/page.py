"""Boards to a page: one HTML file, its pictures and its data beside it."""

import json
import re
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from plotly.offline import get_plotlyjs

from unlearncanvas.core.files import write_text
from unlearncanvas.evaluations.backdoor.results import AttackResults
from unlearncanvas.publish.report.attacks import attack_table
from unlearncanvas.publish.report.collect import (
    BackdoorRun,
    Collection,
    Leaderboard,
    LeaderboardRow,
)
from unlearncanvas.publish.report.columns import columns_of, intervals_text
from unlearncanvas.publish.report.figures import costs, damage, trade_off
from unlearncanvas.results.headings import heading_of, interval_text, value_text

TEMPLATES = "unlearncanvas.publish.report"
QUALITY = 82
STANDINGS = ("reference", "ranked", "degenerate")


class Page:
    """A page in the making."""

    def __init__(self, folder: Path, title: str) -> None:
        self.folder, self.title = folder, title
        self._figures: dict[str, Any] = {}

    def write(self, found: Collection) -> Path:
        """Write ``index.html`` with ``pictures/`` and ``data/``; return its path."""
        for part in ("pictures", "data"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        boards = [self._board(index, board) for index, board in enumerate(found.boards)]
        attacks = [
            self._attack(run, attack) for run in found.backdoors for attack in run.results.attacks
        ]
        environment = Environment(
            loader=PackageLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        environment.filters |= {"value": value_text, "interval": interval_text}
        html = environment.get_template("page.html.j2").render(
            title=self.title,
            css=_safe(_own("page.css")),
            js=_safe(_own("page.js")),
            plotly=_safe(get_plotlyjs()),
            figures=self._figures,
            boards=boards,
            backdoors=attacks,
            filters=_filters(found),
            version=version("unlearncanvas"),
        )
        path = self.folder / "index.html"
        write_text(path, html)
        return path

    def _board(self, index: int, board: Leaderboard) -> dict[str, Any]:
        columns = columns_of(board)
        entries = sorted(board.entries.values(), key=lambda entry: STANDINGS.index(entry.standing))
        plots = [(kind, trade_off(board, kind)) for kind in board.targets]
        return {
            "title": board.title,
            "protocol": board.run.protocol,
            "model": board.run.model,
            "digest": board.run.protocol_digest[:12],
            "base_digest": board.run.base_digest,
            "seeds": board.run.seeds,
            "floors": _floors(board),
            "intervals": intervals_text(board),
            "columns": columns,
            "entries": [
                self._entry(f"row-{index}-{row}", board, entry) for row, entry in enumerate(entries)
            ],
            "trade_offs": [
                (self._figure(figure), f"Forgetting {kind} targets against retention")
                for kind, figure in plots
                if figure is not None
            ],
            "costs": self._figure(costs(board)),
        }

    def _entry(self, name: str, board: Leaderboard, entry: LeaderboardRow) -> dict[str, Any]:
        figure = damage(entry)
        copy = f"{name}-{_plain(entry.label)}.json"
        shutil.copyfile(entry.source, self.folder / "data" / copy)
        return {
            "id": name,
            "label": entry.label,
            "about": entry.about,
            "standing": entry.standing,
            "trust": entry.trust,
            "command": entry.command,
            "cells": [column.cell(entry) for column in columns_of(board)],
            "figure": None if figure is None else self._figure(figure),
            "data": copy,
            "height": 9 + 1.5 * len(entry.results),
            "settings": next((item.settings for item in entry.results.values()), {}),
            "facts": _facts(board, entry, copy),
            "sheets": [
                {"target": target, **self._picture(path, f"{name}-{_plain(target)}")}
                for target, path in entry.sheets.items()
            ],
        }

    def _attack(self, run: BackdoorRun, attack: AttackResults) -> dict[str, Any]:
        sheet = run.path.with_name(f"sheet-{attack.attack}.png")
        name = f"{run.path.parent.parent.name}-{attack.attack}"
        picture = self._picture(sheet, _plain(name)) if sheet.is_file() else None
        return {**attack_table(run.results, attack), "sheet": picture}

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
    entries = [entry for board in found.boards for entry in board.entries.values()]
    choices: Mapping[tuple[str, str], set[str]] = {
        ("protocol", "Protocol"): {board.run.protocol for board in found.boards},
        ("family", "Family"): {entry.about.family for entry in entries},
        ("leaves", "Leaves"): {entry.about.leaves for entry in entries},
        ("trust", "Measured"): {entry.trust for entry in entries},
    }
    return [(name, label, sorted(held - {""})) for (name, label), held in choices.items()]


def _floors(board: Leaderboard) -> str:
    said = []
    for name, score in board.run.floors.items():
        _, label, digits = heading_of(name)
        lines = label, value_text(score, digits), interval_text(score, digits)
        said.append(" ".join(lines).strip())
    return f"real images against real ones: {', '.join(said)}" if said else "no real images at hand"


def _facts(board: Leaderboard, entry: LeaderboardRow, copy: str) -> list[tuple[str, str]]:
    """Digests, counts and settings of an entry."""
    facts = [
        ("measured", entry.trust),
        ("result file", f"data/{copy}"),
        ("protocol", f"{board.run.protocol}, digest {board.run.protocol_digest}"),
        ("base model", f"{board.run.model}, digest {board.run.base_digest}"),
    ]
    for target, result in entry.results.items():
        made = result.artifact_digest[:16] or "none"
        facts.append((target, f"{result.num_images} images, artifact {made}"))
    machine = [board.run.environment.get(key, "") for key in ("device_name", "torch")]
    return [*facts, ("machine, torch", ", ".join(machine))]
