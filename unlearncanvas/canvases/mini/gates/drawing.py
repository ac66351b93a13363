"""Draw what the gates ask for, and look at it."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from diffusers import StableDiffusionPipeline
from rich.progress import Progress

from unlearncanvas.canvases.detectors import Detections, Detectors, joined
from unlearncanvas.canvases.mini.gates.answers import Answer
from unlearncanvas.canvases.mini.gates.prompts import Asked
from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.sampling import draw
from unlearncanvas.types import Cell


class Drawn(NamedTuple):
    """What was seen in the images that were asked for.

    Attributes:
        answers: One an image.
        detections: Of all images.
        seconds: Time of drawing them, without that of the detectors.
    """

    answers: list[Answer]
    detections: Detections
    seconds: float


def draw_and_look(
    pipe: StableDiffusionPipeline,
    asked: Sequence[Asked],
    sampler: Sampler,
    detectors: Detectors,
    *,
    title: str,
    progress: Progress,
) -> Drawn:
    """Return what the detectors see in the images of ``asked``; a bar of ``title`` is shown."""
    task = progress.add_task(title, total=len(asked))
    parts, seconds, started = [], 0.0, time.perf_counter()
    for _, images in draw(pipe, [item.request for item in asked], sampler):
        seconds += time.perf_counter() - started
        parts.append(detectors.detect(list(images)))
        progress.advance(task, len(images))
        started = time.perf_counter()
    detections = joined(parts)
    names = detectors.names("style"), detectors.names("object")
    return Drawn(answers(asked, detections, *names), detections, seconds)


def answers(
    asked: Sequence[Asked],
    detections: Detections,
    styles: Sequence[str],
    objects: Sequence[str],
) -> list[Answer]:
    """Return what was asked for with the most probable style and object."""
    places = zip(
        detections.style_prob.argmax(axis=1), detections.object_prob.argmax(axis=1), strict=True
    )
    return [
        Answer(item, Cell(style=styles[style], object=objects[obj]))
        for item, (style, obj) in zip(asked, places, strict=True)
    ]
