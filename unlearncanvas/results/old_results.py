"""Results of versions before 0.7, read as today's.

A run of the grid was a ``results.json`` of means that named a ``result.json`` for every target; a
run of the backdoor evaluation was a ``results.json`` of another form. Means whose targets' files
are not there stay means.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from unlearncanvas.core.json_file import read_json
from unlearncanvas.results.cells import BASELINES
from unlearncanvas.results.old_options import MODELS, backdoor_options, grid_options
from unlearncanvas.results.old_schema import OldBackdoor, OldGrid, OldRemoval, OldTarget
from unlearncanvas.results.schema import Comparison, Picture, Results, Row, group_text

OLD_ROOT = "../../.."
"""Where the paths in result files start from that do not say it."""


def read_old(path: Path, data: Mapping[str, Any]) -> Results:
    """Return the content of an old ``results.json`` as today's.

    Args:
        path: The file; those of single targets are found from it.
        data: Its content.

    Raises:
        ValueError: One line, if it is not such a file.
    """
    if "attacks" in data:
        return _from_backdoor(read_json(OldBackdoor, path), path)
    return _from_grid(read_json(OldGrid, path), path)


def read_old_run(path: Path, files: Sequence[Path]) -> Results:
    """Return an old ``results.json`` of the grid as today's, with the given files of targets.

    Whatever other files it names are not read.

    Raises:
        ValueError: One line, if it or one of them is not such a file.
    """
    names = tuple(Path(os.path.relpath(file, path.parent)).as_posix() for file in files)
    old = read_json(OldGrid, path)
    return _from_grid(old.model_copy(update={"root": ".", "results": names}), path)


def _from_grid(old: OldGrid, path: Path) -> Results:
    found = list(_targets(old, path))
    labels = list(dict.fromkeys(row.label for row in old.rows))
    pairs = [(file, target, _label(target, labels)) for file, target in found]
    return Results(
        evaluation="grid",
        protocol=old.protocol,
        protocol_digest=old.protocol_digest,
        tier=old.tier,
        subset=old.limited,
        seeds=old.seeds,
        model=old.model,
        base_digest=old.base_digest,
        rows=tuple(_row(file, target, label, path) for file, target, label in pairs),
        means=old.rows,
        real_vs_real=old.floors,
        pictures=tuple(picture for pair in pairs for picture in _sheets(*pair, path)),
        environment=old.environment,
        published=old.published,
        config=grid_options(old, [label.partition(" seed ")[0] for label in labels]),
    )


def _targets(old: OldGrid, path: Path) -> Iterator[tuple[Path, OldTarget]]:
    """The files of single targets that are there."""
    root = path.parent / (OLD_ROOT if old.root is None else old.root)
    for name in old.results:
        file = Path(os.path.normpath(root / name))
        if file.is_file():
            yield file, read_json(OldTarget, file)


def _label(target: OldTarget, labels: Sequence[str]) -> str:
    """The row that a target belongs to; erasing seeds may have rows of their own."""
    named = f"{target.eraser} seed {target.erase_seed}"
    return named if named in labels else target.eraser


def _row(file: Path, old: OldTarget, label: str, path: Path) -> Row:
    def moved(name: str) -> str:
        """A path relative to the target's file, as one relative to the run's."""
        place = os.path.normpath(file.parent / name)
        return Path(os.path.relpath(place, path.parent)).as_posix()

    return Row(
        label=label,
        role="baseline" if old.eraser in BASELINES else "tested",
        group={"target": old.target},
        eraser=old.eraser,
        settings=old.settings,
        erase_seed=old.erase_seed,
        num_images=old.num_images,
        scores=old.scores,
        details=old.concept_accuracy,
        cost=old.cost,
        seconds_per_image=old.seconds_per_image,
        ufe_per_image=old.ufe_per_image,
        artifact_digest=old.artefact_digest,
        artifact=None if old.artifact is None else moved(old.artifact),
        chunks=tuple(map(moved, old.chunks or _bundled(file, old))),
    )


def _bundled(file: Path, old: OldTarget) -> list[str]:
    """The chunks beside a target's file; bundles of version 0.5 do not name theirs."""
    names = [f"seed{seed}.parquet" for seed in old.seeds]
    return [name for name in names if file.with_name(name).is_file()]


def _sheets(file: Path, old: OldTarget, label: str, path: Path) -> Iterator[Picture]:
    for sheet in (file.with_name("sheet.png"), file.with_name("sheet.webp")):
        if sheet.is_file():
            place = Path(os.path.relpath(sheet, path.parent)).as_posix()
            yield Picture(path=place, name="sheet", label=label, group={"target": old.target})


def _from_backdoor(old: OldBackdoor, path: Path) -> Results:
    return Results(
        evaluation="backdoor",
        protocol=old.protocol,
        protocol_digest=old.protocol_digest,
        tier=old.tier,
        subset=old.limited,
        seeds=(),
        model=old.model,
        base_digest=old.base_digest,
        rows=tuple(_removal(item.attack, row) for item in old.attacks for row in item.rows),
        comparisons=tuple(
            Comparison(
                group={"attack": item.attack},
                score="attack_success_rate",
                **pair.model_dump(exclude={"schema_version"}),
            )
            for item in old.attacks
            for pair in item.comparisons
        ),
        notes={
            group_text({"attack": item.attack}): {
                **item.model_dump(
                    include={
                        "settings",
                        "poisoned_digest",
                        "reach",
                        "judge",
                        "gate_passed",
                        "num_triggered",
                    }
                ),
                "known_fraction": old.known,
                "trigger_knowledge": old.knowledge,
            }
            for item in old.attacks
        },
        pictures=tuple(
            Picture(path=name, name="sheet", group={"attack": item.attack})
            for item in old.attacks
            for name in [f"sheet-{item.attack.replace('/', '-')}.png"]
            if path.with_name(name).is_file()
        ),
        environment=old.environment,
        config=backdoor_options(old),
    )


def _removal(attack: str, old: OldRemoval) -> Row:
    scores = old.scores
    return Row(
        label=old.label,
        role="baseline" if old.label in MODELS else "tested",
        group={"attack": attack},
        eraser="" if old.label in MODELS else old.label,
        settings=old.settings,
        erase_seed=None,
        num_images=scores["attack_success_rate"].n + scores["clean_style_accuracy"].n,
        scores=scores,
        cost=old.cost,
        seconds_per_image=None,
        ufe_per_image=old.ufe_per_image,
        artifact_digest=old.artefact_digest,
    )
