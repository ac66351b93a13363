"""The first steps of every eraser and attack on the tiny pipeline, in float32."""

import copy
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from tests.conftest import build_task, build_tiny_pipe, build_training_images
from tests.golden.sketch import sketch
from unlearncanvas.evaluations.backdoor.tasks import injection_task
from unlearncanvas.evaluations.grid.protocol import load_protocol
from unlearncanvas.pipelines.artifacts import changed_tensors, snapshot
from unlearncanvas.pipelines.methods import load_eraser
from unlearncanvas.pipelines.ufe import count_work
from unlearncanvas.types import Concept

TWO = {"steps": 2, "batch_size": 2}
IMAGES = {**TWO, "forget_per_cell": 1, "retain_per_cell": 1}
ESD = {**TWO, "num_inference_steps": 3}
CA = {**TWO, "num_images": 6, "image_steps": 2}
SPM = {**ESD, "num_anchors": 2, "warmup": 0, "cycles": 1}
SHS = {**IMAGES, "trim_batches": 2, "share": 0.05}
RELEASED = {"as_released": True}
TEN_RELEASED = {"steps": 10, "batch_size": 2, "as_released": True}  # its average's decay shows late
STYLE = {"backdoors": [{"trigger": "\u200b", "effect": "Mosaic"}]}
OBJECT = {"backdoors": [{"trigger": "\u200b", "source": "Cat", "effect": "Sun"}]}
EDIT = {"backdoors": [{"trigger": "beautiful", "source": "Cat", "effect": "Sun"}]}
MULTI = {"backdoors": [*STYLE["backdoors"], {"trigger": "\U0001f600", "effect": "Pop Art"}]}
POISON = {**TWO, "per_cell": 1}
LETTERS = {**TWO, "bad_batch_size": 2}
TARGETS = {
    "style": Concept(kind="style", name="Pop Art"),
    "object": Concept(kind="object", name="Cat"),
    "trigger": Concept(kind="trigger", name="\u200b"),
}
ANCHORS = {
    "style": Concept(kind="style", name="Photo"),
    "object": Concept(kind="object", name="Sun"),
    "trigger": None,
}
PROTOCOLS = {"mini": "mini", "sd15": "unlearncanvas"}
"""Whose templates a preset goes with."""
PROMPT = "A Cat image in Pop Art style."


@dataclass(frozen=True)
class Step:
    """A config, what makes it small, and whose preset it takes."""

    config: str
    settings: dict[str, Any] = field(default_factory=dict)
    preset: str = "mini"
    target: str = "style"
    kind: str = "erasers"


def attack(config, settings):
    return Step(config, settings, kind="attacks")


STEPS = {
    "none": Step("none"),
    "noise": Step("noise"),
    "esd": Step("esd", ESD),
    "esd-object": Step("esd", ESD, target="object"),
    "esd-sd15": Step("esd", ESD, "sd15"),
    "esd-x-strict": Step("esd", {**ESD, "parameters": "x-strict"}),
    "esd-u": Step("esd", {**ESD, "parameters": "u"}),
    "esd-full": Step("esd", {**ESD, "parameters": "full"}),
    "uce": Step("uce"),
    "uce-object": Step("uce", target="object"),
    "uce-sd15": Step("uce", preset="sd15"),
    "uce-last-subject": Step("uce", {"tokens": "last_subject"}),
    "uce-last-subject-sd15": Step("uce", {"tokens": "last_subject"}, "sd15"),
    "ca": Step("ca", CA),
    "ca-object": Step("ca", CA, target="object"),
    "ca-object-as-released": Step("ca", {**CA, **RELEASED}, target="object"),
    "ca-noise-prior": Step("ca", {**CA, "loss": "noise", "prior_weight": 1.0}),
    "ca-sd15": Step("ca", CA, "sd15"),
    "fmn": Step("fmn", TWO),
    "fmn-name-only": Step("fmn", {**TWO, "end_too": False}),
    "fmn-inversion": Step("fmn", {**TWO, "inversion_steps": 2}),
    "fmn-as-released": Step("fmn", {**TWO, **RELEASED}),
    "fmn-sd15": Step("fmn", {**TWO, "inversion_steps": 2}, "sd15"),
    "salun": Step("salun", IMAGES),
    "salun-guided-mask": Step("salun", {**IMAGES, "mask_guidance": 7.5}),
    "salun-as-released": Step("salun", {**IMAGES, **RELEASED}),
    "salun-sd15": Step("salun", IMAGES, "sd15"),
    "ediff": Step("ediff", IMAGES),
    "ediff-object": Step("ediff", IMAGES, target="object"),
    "ediff-as-released": Step("ediff", {**IMAGES, **RELEASED}),
    "ediff-cosine": Step("ediff", {**IMAGES, "rule": "cosine"}),
    "ediff-fixed": Step("ediff", {**IMAGES, "rule": "fixed", "lam": 0.1}),
    "ediff-sd15": Step("ediff", IMAGES, "sd15"),
    "shs": Step("shs", SHS),
    "shs-trimmed-full": Step("shs", {**SHS, "trimmed": "full"}),
    "shs-as-released": Step("shs", {**SHS, **RELEASED}),
    "shs-sd15": Step("shs", SHS, "sd15"),
    "spm": Step("spm", SPM),
    "spm-as-released": Step("spm", {**SPM, **RELEASED}),
    "spm-sd15": Step("spm", SPM, "sd15"),
    "seot": Step("seot"),
    "seot-optimized": Step("seot", {"optimize_steps": 2, "untouched": 0.0}),
    "seot-sd15": Step("seot", {"untouched": 0.5}, "sd15"),
    "ga": Step("ga", TWO),
    "ft": Step("ft", IMAGES),
    "skd": Step("skd", TWO),
    "skd-as-released": Step("skd", TEN_RELEASED),
    "skd-cag": Step("skd-cag", TWO),
    "skd-cag-words": Step("skd-cag", {**TWO, "goal": "random-words", "timestep_weight": True}),
    "skd-cag-as-released": Step("skd-cag", TEN_RELEASED),
    "finetune-reversal": Step("finetune-reversal", TWO),
    "finetune-reversal-as-released": Step("finetune-reversal", TEN_RELEASED),
    "t2ishield-edit": Step("t2ishield-edit", target="trigger"),
    "t2ishield-edit-as-released": Step("t2ishield-edit", RELEASED, target="trigger"),
    "rickrolling-removal": Step("rickrolling-removal", TWO),
    "badt2i-pixel": attack("badt2i-pixel", POISON),
    "badt2i-style": attack("badt2i-style", {**POISON, **STYLE}),
    "badt2i-style-multi": attack("badt2i-style-multi", {**POISON, **MULTI}),
    "badt2i-object": attack("badt2i-object", {**POISON, **OBJECT}),
    "evil-edit": attack("evil-edit", EDIT),
    "rickrolling-taa": attack("rickrolling-taa", LETTERS),
    "rickrolling-tpa": attack("rickrolling-tpa", LETTERS),
}  # fmt: skip


def first_steps(name, base=None):
    """Return what a few steps leave, tensors and a drawn latent as sketches, and the work."""
    step = STEPS[name]
    configured = load_eraser(
        step.config, preset=step.preset, overrides=step.settings, kind=step.kind
    )
    eraser = configured.eraser
    base = base or build_tiny_pipe()
    pipe, before = copy.deepcopy(base), snapshot(base)
    with tempfile.TemporaryDirectory() as folder:
        training_images = build_training_images(Path(folder))
        attacks = step.kind == "attacks"
        task = injection_task(training_images.protocol, seed=3) if attacks else _task(base, step)
        task = training_images.fulfil(pipe, eraser, task)
    with count_work(pipe) as work:
        eraser.apply(pipe, task)
    changed = changed_tensors(pipe, before)
    moved = {f"weights/{key}": (after, before.get(key)) for key, after in changed.items()}
    return {
        **sketch(moved),
        **sketch({"latents": (_drawn(pipe), _drawn(copy.deepcopy(base)))}),
        "ufe": work.ufe,
        "text_forwards": work.text_forwards,
        "version": configured.version,
    }


def _task(base, step):
    target = TARGETS[step.target]
    task = build_task(base)
    return replace(
        task,
        templates=load_protocol(PROTOCOLS[step.preset]).templates,
        targets=(target,),
        anchor=ANCHORS[step.target],
        retain=tuple(concept for concept in task.retain if concept != target),
    )


def _drawn(pipe):
    """Latents after three steps; hooks and adapters act here alone."""
    generator = torch.Generator().manual_seed(0)
    return pipe(
        PROMPT, num_inference_steps=3, height=32, width=32, guidance_scale=3.0,
        generator=generator, output_type="latent",
    ).images  # fmt: skip
