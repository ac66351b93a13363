"""Train the weights of the mini canvas from scratch.

    python -m unlearncanvas.canvases.mini.train
    python -m unlearncanvas.canvases.mini.train --only denoiser

Paints 36,000 images, trains a perceptual network, the autoencoder, two pairs of detectors, the text
encoder and the denoiser, writes fp16 safetensors, and prints the gates. About two and a half hours
on two CPU cores, of which the denoiser with its text encoder takes one; minutes on a GPU. The same
command resumes an interrupted training.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderKL, StableDiffusionPipeline
from safetensors.torch import save_file

from unlearncanvas.canvases.language import load_language
from unlearncanvas.canvases.mini.architecture import DETECTORS
from unlearncanvas.canvases.mini.canvas_data import Painted, painted
from unlearncanvas.canvases.mini.device import device_of
from unlearncanvas.canvases.mini.gates.command import main as print_gates
from unlearncanvas.canvases.mini.objects import OBJECTS
from unlearncanvas.canvases.mini.train_autoencoder import train_autoencoder
from unlearncanvas.canvases.mini.train_classifiers import train_classifier
from unlearncanvas.canvases.mini.train_denoiser import train_denoiser
from unlearncanvas.core.one_line_errors import one_line_errors

IMAGES_PER_CELL = 250
WEIGHTS_DIR = Path(__file__).parent / "weights"


class Part(StrEnum):
    """What can be trained alone."""

    denoiser = "denoiser"


TRAINED_WITH_DENOISER = ("tokenizer", "text_encoder", "unet", "scheduler")
"""Folders of the pipeline that a training of the denoiser alone writes."""


def train_detectors(data: Painted, *, steps: int, work_dir: Path, device: torch.device) -> None:
    """Train and write the detectors, the protocol's and those for tuning."""
    folder = WEIGHTS_DIR / "detectors"
    folder.mkdir(parents=True, exist_ok=True)
    for name, spec in DETECTORS.items():
        model = train_classifier(
            f"detector-{name}",
            data,
            data.styles if name.endswith("style") else data.objects,
            channels=spec["channels"],
            steps=steps,
            seed=spec["seed"],
            work_dir=work_dir,
            device=device,
        )
        save_file(model.half().state_dict(), folder / f"{name}.safetensors")


def make_autoencoder(
    data: Painted, *, steps: int, work_dir: Path, device: torch.device
) -> AutoencoderKL:
    """Train the perceptual network (144 cells, its own seed), then the autoencoder."""
    critic = train_classifier(
        "critic",
        data,
        data.styles * len(OBJECTS) + data.objects,
        channels=(32, 48, 64, 96),
        steps=600,
        seed=9,
        work_dir=work_dir,
        device=device,
    )
    return train_autoencoder(data, critic, steps=steps, work_dir=work_dir, device=device)


def write(pipe: StableDiffusionPipeline, only: Part | None) -> None:
    """Write the folder of a pipeline in fp16, or the parts that were trained alone."""
    folder = WEIGHTS_DIR / "pipeline"
    if only is None:
        pipe.save_pretrained(folder)
        return
    for name in TRAINED_WITH_DENOISER:
        getattr(pipe, name).save_pretrained(folder / name)


def committed_autoencoder(device: torch.device) -> AutoencoderKL:
    """Return the autoencoder that the package ships, in float32."""
    vae: AutoencoderKL = AutoencoderKL.from_pretrained(WEIGHTS_DIR / "pipeline" / "vae")
    return vae.to(device, torch.float32).eval().requires_grad_(False)


def main(
    only: Annotated[
        Part | None,
        typer.Option(help="denoiser: keep the autoencoder and the detectors that are there."),
    ] = None,
    work_dir: Annotated[Path, typer.Option(help="Painted images and checkpoints.")] = Path(
        "training"
    ),
    device: Annotated[
        str, typer.Option(help="auto, cpu or cuda; auto takes a GPU if there is one.")
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of text encoder and denoiser.")] = 0,
    autoencoder_steps: Annotated[int, typer.Option(min=1)] = 2700,
    detector_steps: Annotated[int, typer.Option(min=1)] = 1000,
    text_steps: Annotated[int, typer.Option(min=1)] = 300,
    denoiser_steps: Annotated[int, typer.Option(min=1)] = 5000,
) -> None:
    """Train everything, write the weights, print the gates. Resumes where it stopped."""
    where = device_of(device)
    data = painted(IMAGES_PER_CELL, split="train", cache_dir=work_dir)
    if only is None:
        vae = make_autoencoder(data, steps=autoencoder_steps, work_dir=work_dir, device=where)
        train_detectors(data, steps=detector_steps, work_dir=work_dir, device=where)
    else:
        vae = committed_autoencoder(where)
    pipe = train_denoiser(
        data,
        vae,
        load_language("mini"),
        text_steps=text_steps,
        steps=denoiser_steps,
        seed=seed,
        work_dir=work_dir,
        device=where,
    )
    write(pipe.to(torch.float16), only)
    print_gates(device=device)


if __name__ == "__main__":
    with one_line_errors():
        typer.run(main)
