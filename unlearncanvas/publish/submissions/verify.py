"""Draw a part of a bundle again and see whether it is what was submitted."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from metrics.intervals import wilson
from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.core.digests import digest_file
from unlearncanvas.core.files import write_text
from unlearncanvas.core.registry import names
from unlearncanvas.engine.drawing import THUMBNAIL, detected_table, draw_all
from unlearncanvas.engine.erasing import Workbench
from unlearncanvas.engine.studio import Studio
from unlearncanvas.evaluations.grid.protocol import GridProtocol, load_protocol
from unlearncanvas.pipelines.artifacts import Artifact, base_digest, read_artifact, read_record
from unlearncanvas.pipelines.base_model import load_base
from unlearncanvas.pipelines.methods import ConfiguredEraser, load_eraser
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.publish.submissions.bundle import (
    GRID,
    MANIFEST,
    VERIFIED,
    Manifest,
    Verification,
    evidence_digest,
    place_of,
    read_manifest,
)
from unlearncanvas.publish.submissions.validate import read_rows
from unlearncanvas.types import Cell, Concept

SHARE, AT_LEAST = 0.05, 100
"""How much is drawn again, if nobody says otherwise."""
SAME_PREDICTIONS = 95.0
"""Percent that must be predicted alike: other hardware rounds otherwise, and a name may flip."""
DISTANCE = 0.04
"""Mean distance of the small pictures, of 1; compression alone gives 0.015 on the mini canvas."""
COARSE = 8
"""Pixels a side at which they are compared: what lossy compression leaves alone."""
OURS = "erasers."


class Choice(NamedTuple):
    """An image to draw again."""

    target: str
    seed: int
    cell: Cell


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """Who verifies, how and where.

    Attributes:
        by: Name that is put under it.
        seed: Chooses what is drawn again; nobody who submits knows it.
        images: How many; None for 5 percent and at least 100.
        device: Where to draw.
        model: Base model; None for the protocol's.
        sources: Where the detectors are.
        trust_code: Whether to import an eraser that is not of this package.
        on_batch: Hears of every batch.
    """

    by: str
    seed: int
    images: int | None
    device: torch.device
    model: str | None = None
    sources: Sources = SHIPPED
    trust_code: bool = False
    on_batch: Callable[[int], None] = lambda _: None

    def verify(self, folder: Path) -> Verification:
        """Return what was found; the bundle must have been validated.

        Raises:
            ValueError: If its models can neither be read nor made again, or may not be.
        """
        manifest = read_manifest(folder)
        rules = load_protocol(manifest.protocol).for_tier(manifest.tier)
        rules = rules.for_eraser(manifest.eraser)
        for target in manifest.targets:
            self._check_artifact(manifest, target, folder)
        choices = choices_of(folder, seed=self.seed, count=self.images)
        model = self.model or rules.model
        studio = Studio(lambda: load_base(model, device=self.device), rules.sampler)
        if base_digest(load_base(model, device=self.device)) != manifest.base_digest:
            raise ValueError(f"{model!r} is not the base model of the bundle; name it with --model")
        detectors = load_detectors(
            rules.detectors, rules.extractors(), device=self.device, sources=self.sources
        )
        pixels, alike, distances = [], [], []
        drawn = dict.fromkeys(choice.target for choice in choices)
        for target in drawn:
            chosen = [choice for choice in choices if choice.target == target]
            requests = [
                Request(cell=choice.cell, seed=choice.seed, prompt=rules.ask(choice.cell))
                for choice in chosen
            ]
            place = place_of(folder, target)
            with (
                self._artifact(manifest, place, target, rules, model) as erased,
                studio.erased(erased) as lent,
            ):
                images = draw_all(lent.pipe, requests, rules.sampler, on_batch=self.on_batch)
            again = detected_table(requests, images, detectors).to_pylist()
            submitted = _submitted(place, manifest, rules)
            for choice, row, image in zip(chosen, again, images, strict=True):
                said = submitted[choice.seed, choice.cell]
                pixels.append(row["sha256"] == said["sha256"])
                alike.append(all(row[key] == said[key] for key in ("style_pred", "object_pred")))
                if choice.seed == manifest.seeds[0] and (place / GRID).is_file():
                    small = _thumbnail(place / GRID, rules, choice.cell)
                    distances.append(_distance(image, small))
        share = float(np.mean(alike))
        interval = wilson(share, len(alike))
        distance = float(np.mean(distances)) if distances else None
        return Verification(
            by=self.by,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            manifest_digest=digest_file(folder / MANIFEST),
            evidence_digest=evidence_digest(manifest),
            erased_again=tuple(target for target in drawn if target not in manifest.artifacts),
            seed=self.seed,
            images=len(alike),
            same_pixels=100 * float(np.mean(pixels)),
            same_predictions=100 * share,
            low=100 * interval.low,
            high=100 * interval.high,
            distance=distance,
            passed=100 * share >= SAME_PREDICTIONS and (distance is None or distance <= DISTANCE),
        )

    def _check_artifact(self, manifest: Manifest, target: str, folder: Path) -> None:
        """Refuse early what cannot be read, or made again, or may not be imported."""
        place = place_of(folder, target)
        record = read_record(place)
        if record is None:
            raise ValueError(f"{place.name} has no readable artifact.json")
        stored = target in manifest.artifacts
        if stored:
            read_artifact(place)
        if stored and record.leaves == "weights":
            return  # data alone: no class is needed
        known = manifest.eraser in names("erasers") and record.eraser_class.startswith(OURS)
        if not known and not self.trust_code:
            raise ValueError(
                f"the bundle wants {record.eraser_class!r} imported, which is not of this package; "
                "look at that code, then say --trust-code"
            )
        if not stored and not (known and self._makes_again(manifest, record)):
            raise ValueError(
                f"the bundle has no erased tensors for {target}, and they were made by version "
                f"{record.version} of {record.identity['method']}, which is not here; ask for a "
                "bundle made with --artifacts all"
            )

    def _makes_again(self, manifest: Manifest, record: Artifact) -> bool:
        """Whether the eraser here is the one that made an artifact, by name and version."""
        here = self._configured(manifest)
        return (here.method, here.version) == (record.identity["method"], record.version)

    def _configured(self, manifest: Manifest) -> ConfiguredEraser:
        rules = load_protocol(manifest.protocol)
        return load_eraser(manifest.eraser, preset=rules.preset, overrides=manifest.settings)

    @contextmanager
    def _artifact(
        self, manifest: Manifest, place: Path, target: str, rules: GridProtocol, model: str
    ) -> Iterator[Path]:
        """Give the folder of an artifact: the bundle's, or one that is made again for a while."""
        record = read_record(place)
        if target in manifest.artifacts or record is None:
            yield place
            return
        with tempfile.TemporaryDirectory() as folder:
            bench = Workbench.of(
                rules,
                lambda: load_base(model, device=self.device),
                base=model,
                base_digest=manifest.base_digest,
                cache_dir=Path(folder) / "gallery",
                sources=self.sources,
            )
            bench.artifact(self._configured(manifest), record.task(), Path(folder) / "again")
            yield Path(folder) / "again"


def choices_of(folder: Path, *, seed: int, count: int | None) -> list[Choice]:
    """Return which images of a bundle a verifier's seed chooses."""
    manifest = read_manifest(folder)
    rules = load_protocol(manifest.protocol).for_tier(manifest.tier)
    return choose_images(manifest, rules.for_eraser(manifest.eraser), seed=seed, count=count)


def choose_images(
    manifest: Manifest, rules: GridProtocol, *, seed: int, count: int | None
) -> list[Choice]:
    """Return which images are drawn again, chosen without a look at the results."""
    all_of_them = [
        Choice(target, image_seed, cell)
        for target in manifest.targets
        for image_seed in manifest.seeds
        for cell in rules.cells_for(Concept.parse(target))
    ]
    wanted = max(AT_LEAST, round(SHARE * len(all_of_them))) if count is None else count
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(all_of_them), size=min(wanted, len(all_of_them)), replace=False)
    return [all_of_them[row] for row in sorted(rows.tolist())]


def write_verification(folder: Path, found: Verification) -> Path:
    """Write ``verified.json`` into the bundle and return its path."""
    path = folder / VERIFIED
    write_text(path, found.model_dump_json(indent=2) + "\n")
    return path


def _submitted(
    place: Path, manifest: Manifest, rules: GridProtocol
) -> dict[tuple[int, Cell], dict[str, object]]:
    tables: Sequence[pa.Table] = [read_rows(place, seed, rules) for seed in manifest.seeds]
    columns = ["style", "object", "seed", "sha256", "style_pred", "object_pred"]
    return {
        (row["seed"], Cell(style=row["style"], object=row["object"])): row
        for table in tables
        for row in table.select(columns).to_pylist()
    }


def _thumbnail(grid: Path, rules: GridProtocol, cell: Cell) -> UInt8[np.ndarray, "side side 3"]:
    row, column = rules.styles.index(cell.style), rules.objects.index(cell.object)
    corner = (column * THUMBNAIL, row * THUMBNAIL)
    with Image.open(grid, formats=["WEBP"]) as picture:
        box = (*corner, corner[0] + THUMBNAIL, corner[1] + THUMBNAIL)
        return np.asarray(picture.convert("RGB").crop(box))


def _distance(image: UInt8[np.ndarray, "h w 3"], small: UInt8[np.ndarray, "_ _ 3"]) -> float:
    """The root mean square difference of an image from its small picture, of 1, coarsely."""
    one, two = (_coarse(Image.fromarray(picture)) for picture in (image, small))
    return float(np.sqrt(np.square(one - two).mean()))


def _coarse(picture: Image.Image) -> Float[np.ndarray, "side side 3"]:
    side = (COARSE, COARSE)
    return np.asarray(picture.resize(side, Image.Resampling.BOX), dtype=np.float64) / 255
