"""The grid on images that someone else drew: detect, score, write the same results."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from metrics.base import Predictions, Score
from unlearncanvas.canvases.detectors import BATCH_SIZE, Detectors, joined
from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.sources import Sources
from unlearncanvas.canvases.unlearncanvas.image_folder import find_images, read_images
from unlearncanvas.core.digests import digest_json
from unlearncanvas.core.method_config import image_sets_of
from unlearncanvas.engine.chunks import Chunk, to_predictions
from unlearncanvas.engine.drawing import digest_image, seen_table
from unlearncanvas.engine.environment import environment
from unlearncanvas.engine.reference_features import open_reference
from unlearncanvas.engine.rows import relative
from unlearncanvas.evaluations.grid.protocol import GridProtocol
from unlearncanvas.evaluations.grid.scores import concept_accuracy, real_vs_real, target_scores
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.results.aggregate import mean_rows
from unlearncanvas.results.schema import ELSEWHERE, Results, Row, write_results
from unlearncanvas.types import Cell, Concept

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FolderEvaluation:
    """Images of one method, a folder a target.

    Attributes:
        protocol: The rules that the images were drawn by.
        name: What to call the method.
        folders: Where each target's images are.
        device: Where the detectors run.
        out: Root of the run folders.
        sources: Where the user keeps what the package does not ship.
        on_images: Called with the number of images that were looked at.
    """

    protocol: GridProtocol
    name: str
    folders: dict[Concept, Path]
    device: torch.device
    out: Path
    sources: Sources
    on_images: Callable[[int], None]

    def run(self) -> Results:
        """Score every target, write ``results.json``, return the results.

        Raises:
            ValueError: If a folder is not the whole grid; nothing is scored then.
        """
        cells, named = self.protocol.cells(), self.protocol.name
        images = {
            target: find_images(path, cells, protocol=named, seed=self.protocol.seeds[0])
            for target, path in self.folders.items()
        }
        seeds = {tuple(sorted(found)) for found in images.values()}
        if len(seeds) > 1:
            raise ValueError(f"all targets need the same seeds, found {sorted(seeds)}")
        (common,) = seeds
        detectors = load_detectors(
            self.protocol.detectors,
            self.protocol.extractors(),
            device=self.device,
            sources=self.sources,
        )
        room = open_reference(
            self.protocol, detectors, self.sources, self.out / self.protocol.name / "reference"
        )
        reference = None if room is None else room.real(len(common))
        if self.protocol.base_metrics():
            _log.warning(
                "%s left out: it takes the base model's images, which this command does not draw",
                ", ".join(self.protocol.base_metrics()),
            )
        worded = [name for name in self.protocol.metrics if image_sets_of(name)]
        if worded:
            _log.warning("%s left out: images of the grid alone are scored", ", ".join(worded))
        rows = []
        for target, found in images.items():
            predictions, digest, chunks = self._look(detectors, target, found)
            scores = target_scores(self.protocol, predictions, target, reference).scores
            rows.append(self._row(target, predictions, scores, digest, chunks))
        results = Results(
            evaluation="grid",
            protocol=self.protocol.name,
            protocol_digest=self.protocol.digest,
            tier=ELSEWHERE,
            subset=common != tuple(sorted(self.protocol.seeds))
            or set(images) != set(self.protocol.targets.concepts()),
            seeds=common,
            model="unknown",
            base_digest="unknown",
            rows=tuple(rows),
            means=mean_rows(rows),
            real_vs_real={} if room is None else real_vs_real(self.protocol, room, len(common)),
            environment=environment(self.device),
            published=self.protocol.published,
        )
        write_results(self.run_folder(), results)
        return results

    def _row(
        self,
        target: Concept,
        predictions: Predictions,
        scores: dict[str, Score],
        digest: str,
        chunks: list[Path],
    ) -> Row:
        return Row(
            label=self.name,
            role="tested",
            group={"target": str(target)},
            eraser=self.name,
            settings={},
            erase_seed=self.protocol.erase_seed,
            num_images=len(predictions.cells),
            scores=scores,
            details=concept_accuracy(self.protocol, predictions),
            cost=None,
            seconds_per_image=None,
            artifact_digest=digest,
            chunks=tuple(relative(path, self.run_folder()) for path in chunks),
        )

    def run_folder(self) -> Path:
        """Return where ``results.json`` goes."""
        return self.out / self.protocol.name / f"{self.name}-images"

    def _folder(self, target: Concept) -> Path:
        return self.run_folder() / target.slug

    def _look(
        self, detectors: Detectors, target: Concept, found: dict[int, dict[Cell, Path]]
    ) -> tuple[Predictions, str, list[Path]]:
        """Return what is seen, the digest of all images, and the chunks' files."""
        tables, digests, files = [], [], []
        size = {"width": self.protocol.sampler.width, "height": self.protocol.sampler.height}
        for seed, paths in sorted(found.items()):
            cells, seen, own = self.protocol.cells(), [], []
            for start in range(0, len(cells), BATCH_SIZE):
                batch = [paths[cell] for cell in cells[start : start + BATCH_SIZE]]
                images = read_images(batch, **size)
                seen.append(detectors.detect(images))
                own += [digest_image(image) for image in images]
                self.on_images(len(images))
            requests = [
                Request(cell=cell, seed=seed, prompt=self.protocol.ask(cell)) for cell in cells
            ]
            table = seen_table(requests, own, joined(seen), detectors)
            key = digest_json({"images": own, **detectors.identity})
            chunk = Chunk(folder=self._folder(target) / "chunks", seed=seed, key=key)
            chunk.write(table, seconds=0.0)
            files.append(chunk.path)
            tables.append(table)
            digests += own
        return to_predictions(tables), digest_json(digests), files
