"""Stable Diffusion 1.5 with random weights: it costs what the real one costs.

    python -m unlearncanvas.speed.stand_in FOLDER

writes it as a diffusers folder, 4.3 GB in float32, to try the real exam's commands on. Its pictures
are noise, so say --any-base.
"""

from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from unlearncanvas.minicanvas.recipe import assemble, build_tokenizer

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
    pipe = assemble(vae=vae, text_encoder=text_encoder, tokenizer=build_tokenizer(), unet=unet)
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.eval().requires_grad_(False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def main(folder: Annotated[Path, typer.Argument(help="Folder to write; 4.3 GB.")]) -> None:
    """Write Stable Diffusion 1.5 with random weights as a diffusers folder."""
    build_stand_in().save_pretrained(folder)
    typer.echo(f"written   {folder}")


if __name__ == "__main__":
    typer.run(main)
