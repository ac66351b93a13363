"""Architectures of the mini canvas: the classes of Stable Diffusion 1.x, small.

Everything here is built with random weights; :mod:`.train` trains it.
"""

from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from unlearncanvas.canvases.language import Language
from unlearncanvas.canvases.mini.objects import OBJECTS
from unlearncanvas.canvases.mini.painter import IMAGE_SIZE
from unlearncanvas.canvases.mini.styles import STYLES

TEXT_WIDTH = 128
MAX_TOKENS = 77
NUM_MERGES = 540
"""Pairs that the tokenizer learns to join."""
BOS, EOS = "<|startoftext|>", "<|endoftext|>"

DETECTORS: dict[str, dict[str, Any]] = {
    "style": {"names": tuple(STYLES), "channels": (32, 64, 96, 128), "seed": 1},
    "object": {"names": tuple(OBJECTS), "channels": (32, 64, 96, 128), "seed": 2},
    "tuning-style": {"names": tuple(STYLES), "channels": (32, 48, 64, 96), "seed": 3},
    "tuning-object": {"names": tuple(OBJECTS), "channels": (32, 48, 64, 96), "seed": 4},
}
"""The protocol's two detectors, and a second pair, of another seed and width, for tuning only."""


def build_tokenizer(language: Language) -> CLIPTokenizer:
    """Return a byte-level BPE tokenizer trained on every name of the language in every sentence.

    Its merges are few, so that most names are several tokens. It has all 256 bytes with and without
    the end-of-word mark, so that any string encodes, and pads with the end token, as Stable
    Diffusion 1.x does.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    ends = [f"{byte}</w>" for byte in alphabet]
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + len(ends) + NUM_MERGES,
        end_of_word_suffix="</w>",
        initial_alphabet=alphabet,
        special_tokens=ends,  # numbered first: otherwise in no fixed order, which breaks ties
        show_progress=False,
    )
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.train_from_iterator([text.lower() for text in language.all_sentences()], trainer)
    merges = [tuple(merge) for merge in _state(bpe)["merges"]]
    symbols = [*alphabet, *ends, *("".join(merge) for merge in merges), BOS, EOS]
    vocab = {symbol: index for index, symbol in enumerate(dict.fromkeys(symbols))}
    return CLIPTokenizer(
        vocab=vocab,
        merges=merges,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=EOS,
        pad_token=EOS,
        model_max_length=MAX_TOKENS,
    )


def _state(bpe: Tokenizer) -> dict[str, Any]:
    """The trained model as plain data."""
    import json

    return json.loads(bpe.to_str())["model"]


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Return four layers of width 128; the end token is named, so that pooling finds it."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def build_autoencoder() -> AutoencoderKL:
    """Return 64 x 64 x 3 to 16 x 16 x 4 and back."""
    return AutoencoderKL(
        block_out_channels=(32, 48, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=16,
        sample_size=IMAGE_SIZE,
    )


def build_unet() -> UNet2DConditionModel:
    """Return the denoiser: cross-attention at 16 x 16 and 8 x 8 and in the middle (4 x 4)."""
    return UNet2DConditionModel(
        sample_size=IMAGE_SIZE // 4,
        block_out_channels=(64, 96, 160),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=2,  # the number of heads, as in Stable Diffusion 1.x
        norm_num_groups=16,
    )


def build_scheduler() -> DDIMScheduler:
    """Return the noise schedule of Stable Diffusion 1.x, which goes on to more noise at its end.

    Theirs ends at 7 % of the image, and drawing starts from none of it: even an ideal denoiser then
    draws what looks like an average of all (of 12 styles, ``Mosaic`` in a quarter of 288 images;
    with 2 % at the end ``Pointillism`` in 14 %). See Lin et al. 2024 (arXiv 2305.08891).
    """
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.02,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def assemble(
    *,
    vae: AutoencoderKL,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    unet: UNet2DConditionModel,
) -> StableDiffusionPipeline:
    """Return the parts as a pipeline with our noise schedule and no safety checker."""
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def build_classifier(num_classes: int, channels: tuple[int, ...]) -> torch.nn.Module:
    """Return a ten-layer residual network with ``num_classes`` outputs, images [b, 3, 64, 64]."""
    import timm

    return timm.create_model("resnet10t", channels=channels, num_classes=num_classes)
