"""Measure every gate on one pipeline."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from unlearncanvas.canvases.language import Language
from unlearncanvas.canvases.load import load_detectors
from unlearncanvas.canvases.mini.canvas_data import painted
from unlearncanvas.canvases.mini.detector import DETECTOR_DIR
from unlearncanvas.canvases.mini.gates.answers import answer_gates
from unlearncanvas.canvases.mini.gates.drawing import Drawn, draw_and_look
from unlearncanvas.canvases.mini.gates.gate import Gate
from unlearncanvas.canvases.mini.gates.pixels import (
    IMAGES_PER_CELL,
    distribution_gates,
    recognition_gate,
    reconstructions,
    seen,
)
from unlearncanvas.canvases.mini.gates.prompts import beyond_grid, grid
from unlearncanvas.canvases.mini.gates.tokens import token_gates
from unlearncanvas.canvases.mini.progress import progress_bar
from unlearncanvas.canvases.mini.spec import PaintedDetectors
from unlearncanvas.core.registry import find_config, read_yaml
from unlearncanvas.pipelines.base_model import load_base
from unlearncanvas.pipelines.sampler import Sampler

MEGABYTES, MILLISECONDS = 20, 100
"""Limits of the weights and of the time of an image."""


def measure(
    weights_dir: Path, device: torch.device, language: Language, console: Console
) -> list[Gate]:
    """Return every gate of the pipeline in a folder.

    Sampler and detectors are those that the protocol's file names; the detectors are not asked
    whether they were made for this model.
    """
    protocol: dict[str, Any] = read_yaml(find_config("protocols", "mini"))
    sampler = Sampler.model_validate(protocol["sampler"])
    spec = PaintedDetectors.model_validate(protocol["detectors"])
    detectors = load_detectors(spec, device=device)
    vae = load_base(str(weights_dir), device=device).vae
    dtype = getattr(torch, sampler.dtype)
    pipe = load_base(str(weights_dir), device=device, dtype=dtype)
    real = painted(IMAGES_PER_CELL, split="gate")
    held_out = seen(detectors, real.images)
    rebuilt = detectors.detect(list(reconstructions(vae, real.images)))
    with progress_bar(console) as progress:
        look = partial(draw_and_look, pipe, sampler=sampler, detectors=detectors, progress=progress)
        names = look(grid(language), title="grid")
        others = look(beyond_grid(language), title="language")
    return [
        recognition_gate("detectors on held-out painted images", held_out, real),
        recognition_gate("autoencoder reconstructions", rebuilt, real),
        *answer_gates([*names.answers, *others.answers]),
        *distribution_gates(detectors, held_out, names.detections),
        *token_gates(pipe.tokenizer, language),
        time_gate(names, device),
        size_gate(weights_dir),
    ]


def time_gate(drawn: Drawn, device: torch.device) -> Gate:
    """Return the gate on the time of an image of the grid."""
    milliseconds = 1000 * drawn.seconds / len(drawn.answers)
    place = f"cores: {torch.get_num_threads()}" if device.type == "cpu" else str(device)
    return Gate(
        "time of an image, while the grid is drawn; missed on a busy machine",
        f"<= {MILLISECONDS} ms",
        f"{milliseconds:.0f} ms, {place}",
        milliseconds <= MILLISECONDS,
    )


def size_gate(weights_dir: Path) -> Gate:
    """Return the gate on the size of the pipeline's folder and the detectors."""
    folders = (weights_dir, DETECTOR_DIR)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    found = f"{megabytes:.1f} MB"
    return Gate("all weights", f"<= {MEGABYTES} MB", found, megabytes <= MEGABYTES)
