"""Train the weights of the mini canvas from scratch.

    python -m unlearncanvas.canvases.mini.train

Paints 36,000 images, trains a perceptual network, the autoencoder, two pairs of detectors and the
denoiser, writes fp16 safetensors, and prints the gates. About two and a half hours on two CPU
cores, minutes on a GPU. The same command resumes an interrupted training.
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderKL, StableDiffusionPipeline
from safetensors.torch import save_file

from unlearncanvas.canvases.mini import gates
from unlearncanvas.canvases.mini.architecture import DETECTORS
from unlearncanvas.canvases.mini.canvas_data import Painted, painted
from unlearncanvas.canvases.mini.objects import OBJECTS
from unlearncanvas.canvases.mini.train_autoencoder import train_autoencoder
from unlearncanvas.canvases.mini.train_classifiers import train_classifier
from unlearncanvas.canvases.mini.train_denoiser import train_denoiser

IMAGES_PER_CELL = 250
WEIGHTS_DIR = Path(__file__).parent / "weights"


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


def save_pipeline(pipe: StableDiffusionPipeline) -> None:
    """Write the pipeline folder in fp16."""
    pipe.to(torch.float16).save_pretrained(WEIGHTS_DIR / "pipeline")


def main(
    work_dir: Annotated[Path, typer.Option(help="Painted images and checkpoints.")] = Path(
        "training"
    ),
    device: Annotated[str, typer.Option(help="cpu or cuda; auto takes a GPU if there is one.")] = (
        "auto"
    ),
    autoencoder_steps: Annotated[int, typer.Option(min=1)] = 2700,
    detector_steps: Annotated[int, typer.Option(min=1)] = 1000,
    denoiser_steps: Annotated[int, typer.Option(min=1)] = 5000,
) -> None:
    """Train everything, write the weights, print the gates. Resumes where it stopped."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    where = torch.device(device)
    data = painted(IMAGES_PER_CELL, split="train", cache_dir=work_dir)
    vae = make_autoencoder(data, steps=autoencoder_steps, work_dir=work_dir, device=where)
    train_detectors(data, steps=detector_steps, work_dir=work_dir, device=where)
    pipe = train_denoiser(data, vae, steps=denoiser_steps, work_dir=work_dir, device=where)
    save_pipeline(pipe)
    gates.main(device=device)


if __name__ == "__main__":
    typer.run(main)
