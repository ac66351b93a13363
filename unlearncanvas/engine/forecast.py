"""What an evaluation takes: images, work, bytes; and, with the weights, time.

Nothing is downloaded and only the base model is loaded, so that a run can be planned where there
are no weights.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from unlearncanvas.canvases.load import row_widths
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.engine.training_images import generated_ufe
from unlearncanvas.engine.work import DrawTask, num_images, recipes_of, tasks_of
from unlearncanvas.pipelines.base_model import load_base
from unlearncanvas.pipelines.optimizations import prepare_pipeline
from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.sampling import draw_batch
from unlearncanvas.pipelines.ufe import forecast as planned
from unlearncanvas.results.cells import size

ROW_BYTES = 400
"""Of a chunk's row beside features and probabilities: prompt, names, digest."""
SD_UNET = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
"""What Stable Diffusion 1.5 sets of a UNet's configuration; the rest are the class's defaults."""


@dataclass(frozen=True, kw_only=True)
class MethodForecast:
    """One method's part of a run.

    Attributes:
        name: Of the method; ``base model`` for what is drawn with that.
        num_models: Artifacts that it makes.
        images: Images drawn with those.
        ufe: Work of one artifact, as text.
        erasing: Work of all artifacts, images generated for them included; unknown counts as 0.
        generated: Work of the images generated for it.
    """

    name: str
    num_models: int
    images: int
    ufe: str
    erasing: int
    generated: int


def forecast(evaluation: Evaluation) -> Iterator[str]:
    """Yield the lines that say what a run takes; the last one draws a batch to measure time."""
    tasks, methods = tasks_of(evaluation), methods_of(evaluation)
    for item in methods:
        yield (
            f"{item.name:14} {item.num_models:3} models: {item.images:6,} images, "
            f"UFE a model {item.ufe}"
            + (f", and {item.generated:,} for images to learn from" if item.generated else "")
        )
    drawing = sum(task.num_images * ufe_of_image(task.image_set.sampler) for task in tasks)
    erasing, images = sum(item.erasing for item in methods), num_images(tasks)
    yield (
        f"{images:,} images: {drawing:,} UFE to draw them (hooks may add some), about "
        f"{erasing:,} UFE to erase; protocol {evaluation.name} {evaluation.digest[:12]}"
    )
    pipe, reason = local_base(evaluation)
    yield disk_line(evaluation, tasks, pipe)
    if pipe is None:
        yield f"time: unknown, it is measured by drawing a batch: {reason}"
    else:
        yield time_line(evaluation, tasks, pipe, erasing=erasing)


def methods_of(evaluation: Evaluation) -> list[MethodForecast]:
    """Return the part of every method, in the order in which they come first."""
    models = recipes_of(evaluation)
    tasks = tasks_of(evaluation)
    base = [task for task in tasks if not task.recipe.steps]
    found = [] if not base else [_base_part(base)]
    for name in dict.fromkeys(recipe.last.method.name for recipe in models.values()):
        own = {folder: item for folder, item in models.items() if item.last.method.name == name}
        method = next(iter(own.values())).last.method.eraser
        generated = sum(
            generated_ufe(method, [recipe.last.task for recipe in group])
            for group in _by_model_before(evaluation, list(own.values()))
        )
        found.append(
            MethodForecast(
                name=name,
                num_models=len(own),
                images=num_images([task for task in tasks if task.folder in own]),
                ufe=planned(method),
                erasing=(method.planned_ufe() or 0) * len(own) + generated,
                generated=generated,
            )
        )
    return found


def _base_part(tasks: list[DrawTask]) -> MethodForecast:
    return MethodForecast(
        name="base model", num_models=1, images=num_images(tasks), ufe="0", erasing=0, generated=0
    )


def _by_model_before(evaluation: Evaluation, recipes: list[Recipe]) -> list[list[Recipe]]:
    """Recipes in groups of one model before the last edit: it draws the images to learn from."""
    groups: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        groups.setdefault(evaluation.folder_of(recipe.before), []).append(recipe)
    return list(groups.values())


def disk_line(
    evaluation: Evaluation, tasks: list[DrawTask], pipe: StableDiffusionPipeline | None
) -> str:
    """Return what is written; without the base model, its UNet is taken for Stable Diffusion's."""
    chunks = sum(task.num_images * row_bytes(evaluation, task) for task in tasks)
    weights = [
        recipe
        for recipe in recipes_of(evaluation).values()
        if recipe.last.method.eraser.leaves == "weights"
    ]
    stored = min(1, len(weights)) if evaluation.artifacts == "dropped" else len(weights)
    half = evaluation.artifacts == "half"
    kind = "half" if half else "whole"
    unets = f"UNets, {kind}" if pipe else f"UNets of Stable Diffusion 1.5, {kind}"
    free = shutil.disk_usage(_existing(evaluation.out)).free
    return (
        f"disk: {size(chunks)} of predictions and features, erased weights at most "
        f"{size(stored * (2 if half else 4) * num_parameters(pipe))} ({unets}); free under "
        f"{evaluation.out}: {size(free)}"
    )


def time_line(
    evaluation: Evaluation, tasks: list[DrawTask], pipe: StableDiffusionPipeline, *, erasing: int
) -> str:
    """Draw a batch, and return what the run takes on this machine."""
    task = tasks[0]
    per_image, images = seconds_per_image(pipe, task), num_images(tasks)
    drawn = images * per_image
    erased = erasing * per_image / ufe_of_image(task.image_set.sampler)
    return (
        f"time: {images:,} images at {1000 * per_image:.1f} ms: {_duration(drawn)}; erasing: about "
        f"{_duration(erased)}; together about {_duration(drawn + erased)} on this "
        f"{pipe.device.type}, if nothing is drawn yet"
    )


def local_base(evaluation: Evaluation) -> tuple[StableDiffusionPipeline | None, str]:
    """Return the base model if it is on this machine, ready to draw; else None, and why."""
    try:
        pipe = load_base(evaluation.model, device=evaluation.device, download=False)
    except ValueError as exc:
        return None, str(exc)
    return prepare_pipeline(pipe, evaluation.grid.sampler), ""


def seconds_per_image(pipe: StableDiffusionPipeline, task: DrawTask) -> float:
    """Draw one batch of a chunk, and return what an image of it takes."""
    sampler = task.image_set.sampler
    requests = task.image_set.requests(task.seeds)[: sampler.batch_size]
    draw_batch(pipe, requests if "compile" in sampler.optimizations else requests[:2], sampler)
    start = time.perf_counter()
    draw_batch(pipe, requests, sampler)
    return (time.perf_counter() - start) / len(requests)


def ufe_of_image(sampler: Sampler) -> int:
    """Return the UNet forward equivalents of drawing an image."""
    return sampler.num_inference_steps * (2 if sampler.guidance_scale > 1 else 1)


def num_parameters(pipe: StableDiffusionPipeline | None) -> int:
    """Return the parameters of a UNet; of Stable Diffusion 1.5's without a pipeline."""
    if pipe is not None:
        return sum(weight.numel() for weight in pipe.unet.parameters())
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SD_UNET)
    return sum(weight.numel() for weight in unet.parameters())


def row_bytes(evaluation: Evaluation, task: DrawTask) -> int:
    """Return the bytes of an image's row: float16 features, float32 probabilities, and the rest."""
    features, probabilities = row_widths(evaluation.grid.detectors, evaluation.grid.extractors())
    sampler = task.image_set.sampler
    pixels = 3 * sampler.height * sampler.width if task.image_set.keep_pixels else 0
    return 2 * features + 4 * probabilities + ROW_BYTES + pixels


def _duration(seconds: float) -> str:
    """A time as a person would say it."""
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _existing(path: Path) -> Path:
    """A folder, or the first above it that exists."""
    return path if path.exists() else _existing(path.resolve().parent)
