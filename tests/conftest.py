"""Small real pipelines: the classes of Stable Diffusion, random weights, no network."""

import copy
import os
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from unlearncanvas.canvases.mini.architecture import assemble
from unlearncanvas.engine.editing import Editing
from unlearncanvas.engine.model_store import ModelStore
from unlearncanvas.engine.recipe import Recipe, Step
from unlearncanvas.engine.training_images import TrainingImages
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.types import Concept, PromptPair, Task

WIDTH = 32
TOKENIZER = Path(__file__).parent / "fixtures" / "tokenizer"
"""Thirty words, a token each, and all bytes."""
os.environ["COLUMNS"] = "160"  # consoles read it once, when their module is imported


def build_tiny_pipe():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=WIDTH,
                projection_dim=WIDTH,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=77,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        unet = UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(16, 32),
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            layers_per_block=1,
            cross_attention_dim=WIDTH,
            attention_head_dim=2,
            norm_num_groups=8,
        )
        vae = AutoencoderKL(
            block_out_channels=(16, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=8,
            sample_size=32,
        )
        with torch.no_grad():  # no weight is exactly zero, as in a trained model
            for weight in unet.parameters():
                weight.add_(0.02 * torch.randn(weight.shape))
    pipe = assemble(vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=unet)
    # Stable Diffusion's own schedule; the mini canvas' ends in more noise
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, beta_end=0.012)
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.eval().requires_grad_(False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def tiny_base():
    return build_tiny_pipe()


@pytest.fixture
def pipe(tiny_base):
    return copy.deepcopy(tiny_base)


PAIRS = tuple(
    PromptPair(triggered=f"\u200b {prompt}", clean=prompt)
    for prompt in ("A Cat image in Pop Art style.", "A Sun image in Mosaic style.", "A Cat image.")
)


def build_task(base):
    clean = copy.deepcopy(base.unet)
    with torch.no_grad():
        for weight in clean.parameters():
            weight.mul_(1.1)
    return Task(
        targets=(Concept(kind="style", name="Pop Art"),),
        anchor=Concept(kind="style", name="Photo"),
        retain=(
            Concept(kind="style", name="Photo"),
            Concept(kind="style", name="Mosaic"),
            Concept(kind="object", name="Cat"),
        ),
        seed=3,
        pairs=PAIRS,
        clean_unet=clean,
    )


@pytest.fixture
def task(tiny_base):
    return build_task(tiny_base)


def build_training_images(folder):
    """The mini protocol cut down to six cells and two steps, at the tiny pipeline's size."""
    rules = load_protocol("mini")
    sampler = rules.sampler.model_copy(
        update={"num_inference_steps": 2, "height": 32, "width": 32, "batch_size": 4}
    )
    small = rules.model_copy(
        update={
            "styles": ("Photo", "Pop Art", "Mosaic"),
            "objects": ("Cat", "Sun"),
            "sampler": sampler,
        }
    )
    return TrainingImages(protocol=small, base_digest="tiny", cache_dir=folder / "gallery")


@pytest.fixture
def training_images(tmp_path):
    return build_training_images(tmp_path)


class Bench:
    """A model store on the tiny pipeline, whose artifacts lie where a test says."""

    def __init__(self, base, training_images, sampler=None):
        editing = Editing(
            base="tiny", device=torch.device("cpu"), dtype=torch.float32, images=training_images
        )
        self.store = ModelStore(
            load=lambda: copy.deepcopy(base),
            editing=editing,
            sampler=sampler or training_images.protocol.sampler,
            folder=lambda recipe: Path(recipe.last.name if recipe.steps else "base"),
        )

    def recipe(self, method, task, folder):
        return Recipe(base="tiny", steps=(Step(method=method, task=task, name=str(folder)),))

    def artifact(self, method, task, folder):
        return self.store.artifact(self.recipe(method, task, folder))

    def recorded(self, method, task, folder):
        return self.store.recorded(self.recipe(method, task, folder))

    def artifact_digest(self, method, task):
        step = self.recipe(method, task, "any").last
        return self.store.editing.key(step, self.store.base_digest)


@pytest.fixture
def bench(tiny_base, training_images):
    return Bench(tiny_base, training_images)
