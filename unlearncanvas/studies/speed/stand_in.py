"""The models of the unlearncanvas protocol with random weights: they cost what the real ones cost.

    python -m unlearncanvas.studies.speed.stand_in FOLDER

writes Stable Diffusion 1.5 as a diffusers folder and the two ViT-L classifiers as the release's
``.pth`` files, 6.7 GB in float32, and prints the command to try on them. The pictures are noise.
"""

from pathlib import Path
from typing import Annotated

import timm
import torch
import typer
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from unlearncanvas.canvases.language import load_language
from unlearncanvas.canvases.mini.architecture import assemble, build_tokenizer
from unlearncanvas.canvases.unlearncanvas.spec import ViTDetectors
from unlearncanvas.evaluations.grid.protocol import load_protocol

CHANNELS = (320, 640, 1280, 1280)
VAE_CHANNELS = (128, 256, 512, 512)
VOCABULARY = 49408


def build_stand_in(seed: int = 0) -> StableDiffusionPipeline:
    """Return a float32 pipeline of the architecture of Stable Diffusion 1.5.

    Only the tokenizer is another, that of the mini canvas: its text is as long as the real one's.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet2DConditionModel(
            sample_size=64, cross_attention_dim=768, block_out_channels=CHANNELS
        )
        vae = AutoencoderKL(
            sample_size=512,
            latent_channels=4,
            block_out_channels=VAE_CHANNELS,
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * len(VAE_CHANNELS),
            up_block_types=("UpDecoderBlock2D",) * len(VAE_CHANNELS),
        )
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=VOCABULARY,
                hidden_size=768,
                intermediate_size=3072,
                projection_dim=768,
                num_hidden_layers=12,
                num_attention_heads=12,
            )
        )
    tokenizer = build_tokenizer(load_language("mini"))
    pipe = assemble(vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=unet)
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.eval().requires_grad_(False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def write_classifiers(folder: Path, rules: ViTDetectors, seed: int = 0) -> None:
    """Write the style and the object classifier as the release's files, with random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    for spec in (rules.style, rules.object):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = timm.create_model(
                rules.architecture, num_classes=len(spec.labels), img_size=rules.image_size
            )
        torch.save({"model_state_dict": model.state_dict()}, folder / spec.file)


def main(folder: Annotated[Path, typer.Argument(help="Folder to write; 6.7 GB.")]) -> None:
    """Write Stable Diffusion 1.5 and the classifiers of UnlearnCanvas with random weights."""
    model, classifiers = folder / "style50", folder / "cls_model"
    build_stand_in().save_pretrained(model)
    rules = load_protocol("unlearncanvas").detectors
    assert isinstance(rules, ViTDetectors)
    write_classifiers(classifiers, rules)
    typer.echo(
        f"written   {model}\nwritten   {classifiers}\n"
        "try       python -m unlearncanvas.bench --protocol unlearncanvas --tier smoke "
        f"--eraser esd --model {model} --detectors {classifiers} --skip-base-check"
    )


if __name__ == "__main__":
    typer.run(main)
