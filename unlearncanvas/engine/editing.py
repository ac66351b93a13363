"""Apply one step of a recipe to a pipeline; return the changed tensors and the cost."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from unlearncanvas.core.building import class_name
from unlearncanvas.core.digests import digest_json, digest_tensors
from unlearncanvas.engine.losses import LossCurves
from unlearncanvas.engine.recipe import Step
from unlearncanvas.engine.training_images import TrainingImages, generated_ufe
from unlearncanvas.pipelines.artifacts import Artifact, changed_tensors, halved
from unlearncanvas.pipelines.cost import Cost
from unlearncanvas.pipelines.memory import peak_memory
from unlearncanvas.pipelines.ufe import Work, count_work
from unlearncanvas.types import Task, Templates


def ignore_loss(name: str, step: int, value: float) -> None:
    """Drop a loss."""


@dataclass(frozen=True, kw_only=True)
class Editing:
    """Applies steps to a model.

    Attributes:
        base: Name of the base model.
        device: Where; part of an artifact's key.
        dtype: Autocast precision while a method works; weights stay float32.
        images: Supplies the images that methods request.
        half: Store artifacts in half precision; the images are drawn from those.
        on_loss: Called with name, step and value of losses that a method reports.
    """

    base: str
    device: torch.device
    dtype: torch.dtype
    images: TrainingImages
    half: bool = False
    on_loss: Callable[[str, int, float], None] = ignore_loss

    def key(self, step: Step, model_digest: str) -> str:
        """Return the digest of everything that an artifact depends on.

        Args:
            step: The edit.
            model_digest: Digest of the model that it is applied to.
        """
        task = step.task
        return digest_json(
            {
                **step.method.identity,
                "task": task_json(task),
                "images": self.images.requests(step.method.eraser, task),
                **({"pairs": list(map(asdict, task.pairs))} if task.pairs else {}),
                "base": model_digest,
                "dtype": str(self.dtype),
                "device": self.device.type,
                **({"stored": "float16"} if self.half else {}),
            }
        )

    def apply(
        self,
        pipe: StableDiffusionPipeline,
        step: Step,
        *,
        before: Mapping[str, Tensor],
        model_digest: str,
        clean: Callable[[], object],
    ) -> tuple[dict[str, Tensor], Artifact]:
        """Edit ``pipe`` in place; return the changed and added tensors, and their provenance.

        Args:
            pipe: The model that the step is applied to, float32.
            step: The edit.
            before: Its tensors, on the CPU.
            model_digest: Their digest.
            clean: Returns the base model's UNet, for methods that need it.
        """
        method = step.method.eraser
        # Without the cache: it would serve an optimizer's weights as they were before its steps.
        autocast = torch.autocast(
            self.device.type,
            self.dtype,
            enabled=self.dtype is not torch.float32,
            cache_enabled=False,
        )
        images = replace(self.images, base_digest=model_digest)
        with autocast:
            task = images.fulfil(pipe, method, step.task)
        if "clean model" in method.needs:
            task = replace(task, clean_unet=clean())
        task = replace(task, report=LossCurves(on_loss=self.on_loss))
        with peak_memory(self.device) as peak, count_work(pipe) as work, autocast:
            start = time.perf_counter()
            method.apply(pipe, task)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            seconds = time.perf_counter() - start
        changed = changed_tensors(pipe, before)
        tensors = halved(changed) if self.half else changed
        return tensors, self._record(step, tensors, model_digest, seconds, peak.value, work)

    def _record(
        self,
        step: Step,
        tensors: Mapping[str, Tensor],
        model_digest: str,
        seconds: float,
        peak: int | None,
        work: Work,
    ) -> Artifact:
        """Return the content of the artifact's JSON file."""
        method, task = step.method, step.task
        return Artifact(
            eraser=method.name,
            eraser_class=class_name(type(method.eraser)),
            method=method.method,
            version=method.version,
            leaves=method.eraser.leaves,
            settings=method.settings,
            source_digest=method.source_digest,
            **task_json(task),
            pairs=task.pairs,
            base=self.base,
            base_digest=model_digest,
            erase_dtype=str(self.dtype).removeprefix("torch."),
            digest=self.key(step, model_digest),
            tensors_digest=digest_tensors(tensors),
            cost=Cost(
                seconds=seconds,
                peak_memory_bytes=peak,
                stored_bytes=sum(tensor.nbytes for tensor in tensors.values()),
                ufe=round(work.ufe),
                gallery_ufe=generated_ufe(method.eraser, [task]),
                text_forwards=work.text_forwards,
            ),
        )


def task_json(task: Task) -> dict[str, Any]:
    """Return a task as an artifact stores it; templates only where the protocol has some."""
    brought = task.templates != Templates()
    return {
        "targets": tuple(map(str, task.targets)),
        "anchor": None if task.anchor is None else str(task.anchor),
        "retain": tuple(map(str, task.retain)),
        "seed": task.seed,
        **({"templates": task.templates.model_dump()} if brought else {}),
    }
