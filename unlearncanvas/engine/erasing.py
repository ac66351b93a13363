"""Make the artifact of one target: erase, measure what it cost, store what changed."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from filelock import FileLock

from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.core.building import class_name
from unlearncanvas.core.digests import digest_json, digest_tensors
from unlearncanvas.engine.grid import Grid
from unlearncanvas.engine.losses import LossCurves
from unlearncanvas.engine.training_images import TrainingImages, generated_ufe
from unlearncanvas.pipelines.artifacts import (
    Artifact,
    changed_tensors,
    halved,
    json_path,
    read_artifact,
    read_record,
    restore_tensors,
    save_artifact,
    snapshot,
)
from unlearncanvas.pipelines.cost import Cost
from unlearncanvas.pipelines.memory import peak_memory
from unlearncanvas.pipelines.methods import ConfiguredEraser
from unlearncanvas.pipelines.ufe import count_work
from unlearncanvas.types import Task, Templates

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Workbench:
    """A base pipeline that erasers work on, one after the other, each from the untouched weights.

    Attributes:
        load: Returns a fresh base pipeline, float32.
        base: What the user called it.
        base_digest: Digest of its tensors.
        dtype: Autocast precision while an eraser works; weights stay float32.
        gallery: Where erasers get their images.
        half: Whether artifacts are stored in half precision; the images are drawn from those.
        on_loss: Called with name, step and value of losses that an eraser reports.
    """

    load: Callable[[], StableDiffusionPipeline]
    base: str
    base_digest: str
    dtype: torch.dtype
    gallery: TrainingImages
    half: bool = False
    on_loss: Callable[[str, int, float], None] = lambda name, step, value: None

    def __post_init__(self) -> None:
        self._edited: set[str] = set()
        self._start_afresh()

    @classmethod
    def of(
        cls,
        protocol: Grid,
        load: Callable[[], StableDiffusionPipeline],
        *,
        base: str,
        base_digest: str,
        cache_dir: Path,
        sources: Sources = SHIPPED,
        half: bool = False,
        on_loss: Callable[[str, int, float], None] = lambda name, step, value: None,
    ) -> "Workbench":
        """Return the bench that a protocol's erasures are made on; images are kept in a folder."""
        room = TrainingImages(
            protocol=protocol, base_digest=base_digest, cache_dir=cache_dir, sources=sources
        )
        return cls(
            load=load,
            base=base,
            base_digest=base_digest,
            dtype=getattr(torch, protocol.erase_dtype),
            gallery=room,
            half=half,
            on_loss=on_loss,
        )

    def _start_afresh(self) -> None:
        self._pipe = self.load()
        self._before = snapshot(self._pipe)

    def artifact_digest(self, configured: ConfiguredEraser, task: Task) -> str:
        """Return the digest of all that an artifact depends on."""
        return digest_json(
            {
                **configured.identity,
                "task": _task_json(task),
                "images": self.gallery.requests(configured.eraser, task),
                **({"pairs": list(map(asdict, task.pairs))} if task.pairs else {}),
                "base": self.base_digest,
                "dtype": str(self.dtype),
                "device": self._pipe.device.type,
                **({"stored": "float16"} if self.half else {}),
            }
        )

    def artifact(self, configured: ConfiguredEraser, task: Task, folder: Path) -> Artifact:
        """Return the artifact in ``folder``, made now unless it is there already.

        A second run waits for the first; a damaged or outdated artifact is made again.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "artifact.lock"):
            try:
                stored = self._read(configured, task, folder)
            except ValueError as exc:
                _log.warning("%s; erasing again", exc)
                stored = None
            return stored or self._erase(configured, task, folder)

    def recorded(self, configured: ConfiguredEraser, task: Task, folder: Path) -> Artifact | None:
        """Return what made the artifact in ``folder``, if it is what is asked for and whole.

        Or was: its tensors may have been dropped when everything had been drawn.
        """
        if (folder / "erased.safetensors").exists():
            return self.stored(configured, task, folder)
        found = read_record(folder)
        return None if found is None else self._asked_for(found, configured, task)

    def stored(self, configured: ConfiguredEraser, task: Task, folder: Path) -> Artifact | None:
        """Return the artifact in ``folder`` if it is whole and what is asked for."""
        try:
            return self._read(configured, task, folder)
        except ValueError:
            return None

    def _read(self, configured: ConfiguredEraser, task: Task, folder: Path) -> Artifact | None:
        """The artifact in ``folder`` if it is what is asked for; ValueError if it is damaged."""
        if not json_path(folder).exists():
            return None
        found, _ = read_artifact(folder)
        return self._asked_for(found, configured, task)

    def _asked_for(
        self, found: Artifact, configured: ConfiguredEraser, task: Task
    ) -> Artifact | None:
        """Return a stored artifact if it is what is asked for; warn once if the code is another."""
        if found.digest != self.artifact_digest(configured, task):
            return None
        edited = found.source_digest != configured.source_digest
        if edited and configured.name not in self._edited:
            self._edited.add(configured.name)
            _log.warning(
                "the code of %s was edited, its version is %d as before: what it made is kept; "
                "raise the version if its numbers change",
                configured.name,
                configured.version,
            )
        return found

    def _erase(self, configured: ConfiguredEraser, task: Task, folder: Path) -> Artifact:
        pipe, device, eraser = self._pipe, self._pipe.device, configured.eraser
        # Without the cache: it would serve an optimiser's weights as they were before its steps.
        autocast = torch.autocast(
            device.type, self.dtype, enabled=self.dtype is not torch.float32, cache_enabled=False
        )
        with autocast:
            supplied = self.gallery.fulfil(pipe, eraser, task)
        supplied = replace(supplied, report=LossCurves(on_loss=self.on_loss))
        try:
            with peak_memory(device) as peak, count_work(pipe) as work, autocast:
                start = time.perf_counter()
                eraser.apply(pipe, supplied)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                seconds = time.perf_counter() - start
            changed = changed_tensors(pipe, self._before)
            tensors = halved(changed) if self.half else changed
        finally:
            if eraser.leaves == "weights":
                restore_tensors(pipe, self._before)
            else:
                self._start_afresh()
        artifact = Artifact(
            eraser=configured.name,
            eraser_class=class_name(type(configured.eraser)),
            method=configured.method,
            version=configured.version,
            leaves=eraser.leaves,
            settings=configured.settings,
            source_digest=configured.source_digest,
            **_task_json(task),
            pairs=task.pairs,
            base=self.base,
            base_digest=self.base_digest,
            erase_dtype=str(self.dtype).removeprefix("torch."),
            digest=self.artifact_digest(configured, task),
            tensors_digest=digest_tensors(tensors),
            cost=Cost(
                seconds=seconds,
                peak_memory_bytes=peak.value,
                stored_bytes=sum(tensor.nbytes for tensor in tensors.values()),
                ufe=round(work.ufe),
                gallery_ufe=generated_ufe(eraser, [task]),
                text_forwards=work.text_forwards,
            ),
        )
        save_artifact(folder, tensors, artifact)
        return artifact


def _task_json(task: Task) -> dict[str, Any]:
    """Return the task as an artifact stores it; templates only where the protocol brings some."""
    brought = task.templates != Templates()
    return {
        "targets": tuple(map(str, task.targets)),
        "anchor": None if task.anchor is None else str(task.anchor),
        "retain": tuple(map(str, task.retain)),
        "seed": task.seed,
        **({"templates": task.templates.model_dump()} if brought else {}),
    }
