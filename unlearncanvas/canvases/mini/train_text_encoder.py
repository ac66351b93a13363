"""Teach the text encoder what captions mean, before the denoiser is trained with it.

    loss = CE(style | end token) + CE(object | end token)

with two linear heads that are thrown away; a concept that the caption leaves out is a class of its
own. Stable Diffusion's text encoder knows its language from CLIP before a denoiser meets it; this
is the little that ours needs.
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import CLIPTextModel, CLIPTokenizer

from unlearncanvas.canvases.language import Language
from unlearncanvas.canvases.mini.architecture import TEXT_WIDTH, build_text_encoder
from unlearncanvas.canvases.mini.captions import Captions
from unlearncanvas.canvases.mini.loop import Loop, decaying, optimizer_step, rng_of
from unlearncanvas.canvases.mini.objects import OBJECTS
from unlearncanvas.canvases.mini.styles import STYLES

BATCH = 128
LR = 1e-3
STYLE_NAMES, OBJECT_NAMES = (*STYLES, None), (*OBJECTS, None)


def train_text_encoder(
    language: Language,
    tokenizer: CLIPTokenizer,
    *,
    steps: int,
    seed: int,
    work_dir: Path,
    device: torch.device,
) -> CLIPTextModel:
    """Return a text encoder that tells styles and objects apart under all of their names."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = torch.nn.ModuleDict(
            {
                "text_encoder": build_text_encoder(tokenizer),
                "style": torch.nn.Linear(TEXT_WIDTH, len(STYLE_NAMES)),
                "object": torch.nn.Linear(TEXT_WIDTH, len(OBJECT_NAMES)),
            }
        ).to(device)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=(0.9, 0.99), weight_decay=0.01)
    schedule = decaying(optimizer, steps, least=0.02)

    def step(generator: torch.Generator) -> Tensor:
        captions = Captions(language, rng_of(generator))
        styles = torch.randint(len(STYLES), (BATCH,), generator=generator).tolist()
        objects = torch.randint(len(OBJECTS), (BATCH,), generator=generator).tolist()
        said = [
            captions.mentioned(STYLE_NAMES[style], OBJECT_NAMES[obj])
            for style, obj in zip(styles, objects, strict=True)
        ]
        ids = tokenizer(
            [captions.caption(*pair) for pair in said],
            padding=True,
            truncation=True,
            return_tensors="pt",
        ).input_ids.to(device)
        with torch.autocast(device.type, torch.bfloat16):
            pooled = model["text_encoder"](ids).pooler_output
            style_logits, object_logits = model["style"](pooled), model["object"](pooled)
        style_ids = torch.tensor([STYLE_NAMES.index(style) for style, _ in said], device=device)
        object_ids = torch.tensor([OBJECT_NAMES.index(obj) for _, obj in said], device=device)
        loss = F.cross_entropy(style_logits.float(), style_ids)
        loss = loss + F.cross_entropy(object_logits.float(), object_ids)
        return optimizer_step(loss, model, optimizer=optimizer, schedule=schedule, average=average)

    parts = {"model": model, "average": average, "optimizer": optimizer, "schedule": schedule}
    Loop(
        name="text-encoder",
        steps=steps,
        work_dir=work_dir,
        parts=parts,
        identity=language.plain(),
        seed=seed,
    ).run(step)
    trained: Any = average.module
    text_encoder: CLIPTextModel = trained["text_encoder"]
    return text_encoder
