"""Load base pipelines: diffusers folders, the Hub, CompVis checkpoints, UNet weights.

- ``minicanvas``: the model of the mini canvas, shipped with the package
- ``FOLDER``: a diffusers folder
- ``owner/name[/sub/folder][@revision]``: the same on the Hub
- ``FILE``: a single CompVis checkpoint, .ckpt or .safetensors
- ``BASE+FILE``: one of the first three with other weights: a CompVis checkpoint, a whole UNet, or
  the part of one that changed
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from torch import Tensor

from unlearncanvas.pipelines.tensor_file import SUFFIXES, read_tensors

MINICANVAS = "minicanvas"
MINICANVAS_DIR = Path(__file__).parents[1] / "canvases" / "mini" / "weights" / "pipeline"
COMPONENTS = ("unet", "text_encoder", "vae")
COMPVIS_UNET = "model.diffusion_model."
"""What the names of the UNet's tensors begin with in a CompVis checkpoint."""
NO_CHECKER = {"safety_checker": None, "requires_safety_checker": False}
_HUB = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(/(?P<folder>[^@]+))?(@(?P<revision>.+))?")


def load_base(
    model: str,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    download: bool = True,
) -> StableDiffusionPipeline:
    """Return a base pipeline; the module's docstring has the forms of ``model``.

    Without ``download``, a model of the Hub must be in the cache.

    Raises:
        ValueError: If it is not a Stable Diffusion pipeline, or cannot be reached, or its weights
            do not fit; the message says what to get and where to put it.
    """
    base, file = _split(model)
    tensors = {} if file is None else read_tensors(file)
    whole = any(name.startswith(COMPVIS_UNET) for name in tensors)
    if file is not None and not (base or whole):
        raise ValueError(
            f"{file} is no whole CompVis checkpoint; name the pipeline that it belongs to, too: "
            f"FOLDER+{file}"
        )
    with _explained(model, download=download):
        if whole:
            pipe = _from_checkpoint(base, str(file), dtype, download=download)
        else:
            folder = _folder(base, download=download)
            pipe = StableDiffusionPipeline.from_pretrained(folder, dtype=dtype, **NO_CHECKER)
    if tensors and not whole:
        _put_weights(pipe.unet, tensors, str(file))
    pipe.set_progress_bar_config(disable=True)
    for component in COMPONENTS:
        getattr(pipe, component).requires_grad_(False).eval()
    return pipe.to(device)


def _split(model: str) -> tuple[str, Path | None]:
    """Return the base pipeline, empty if there is none, and the file whose weights go onto it.

    Raises:
        ValueError: If the file is not there.
    """
    if Path(model).suffix not in SUFFIXES:
        return model, None
    base, _, file = model.rpartition("+")
    if not Path(file).is_file():
        raise ValueError(f"no such weights file: {file!r}")
    return base, Path(file)


def _folder(base: str, *, download: bool) -> Path:
    """Return the local folder of a pipeline, downloaded if it is on the Hub."""
    if base == MINICANVAS:
        return MINICANVAS_DIR
    folder = Path(base).expanduser()
    if folder.is_dir():
        if not (folder / "model_index.json").is_file():
            inside = sorted(str(path.parent) for path in folder.glob("*/**/model_index.json"))
            hint = f"; did you mean {inside[0]}?" if inside else ""
            raise ValueError(f"it is no diffusers folder, it has no model_index.json{hint}")
        return folder
    named = _HUB.fullmatch(base)
    if named is None:
        raise ValueError(
            "there is no such folder, and a model of the Hub is written "
            "owner/name[/sub/folder][@revision]"
        )
    repo, inner, revision = named["repo"], named["folder"], named["revision"]
    if inner is None:
        return Path(
            StableDiffusionPipeline.download(
                repo, revision=revision, local_files_only=not download, **NO_CHECKER
            )
        )
    found = snapshot_download(
        repo, revision=revision, allow_patterns=f"{inner}/*", ignore_patterns="*/unet_ema/*",
        local_files_only=not download,
    )  # fmt: skip
    if not (Path(found) / inner / "model_index.json").is_file():
        raise ValueError(f"the repository {repo} has no pipeline in {inner!r}")
    return Path(found) / inner


def _from_checkpoint(
    base: str, file: str, dtype: torch.dtype, *, download: bool
) -> StableDiffusionPipeline:
    """Return a CompVis checkpoint as a pipeline; ``base`` gives configs and tokenizer."""
    config: dict[str, Any] = {"config": str(_folder(base, download=download))} if base else {}
    return StableDiffusionPipeline.from_single_file(file, dtype=dtype, **config, **NO_CHECKER)


@torch.no_grad()
def _put_weights(unet: UNet2DConditionModel, tensors: Mapping[str, Tensor], file: str) -> None:
    """Copy weights, all or some, into the UNet.

    Raises:
        ValueError: If a name or a shape is not the UNet's, or nothing changes.
    """
    own, changed = unet.state_dict(), False
    for name, value in tensors.items():
        weight = own.get(name.removeprefix("unet."))
        if weight is None:
            raise ValueError(f"{file}: the UNet has no tensor named {name!r}")
        if value.shape != weight.shape:
            shapes = f"{list(value.shape)}, the UNet's is {list(weight.shape)}"
            raise ValueError(f"{file}: {name!r} has the shape {shapes}")
        before = weight.clone()
        changed = not torch.equal(weight.copy_(value), before) or changed
    if not changed:
        raise ValueError(f"{file} changes nothing: its tensors are those of the base model")


@contextmanager
def _explained(model: str, *, download: bool) -> Iterator[None]:
    """Turn what loading raises into one line that names the way out."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as exc:
        reason = _reason(exc, download=download)
        raise ValueError(f"cannot load {model!r} as a Stable Diffusion pipeline: {reason}") from exc


def _reason(exc: Exception, *, download: bool) -> str:
    """Return what went wrong, and the way out where the library does not say it."""
    if isinstance(exc, GatedRepoError):
        return "it is gated: accept its terms on its page of the Hub, then run `hf auth login`"
    if isinstance(exc, RevisionNotFoundError):
        return "the repository has no such revision; check what stands behind the @"
    if isinstance(exc, RepositoryNotFoundError):
        return "the Hub has no such repository; if it is private, run `hf auth login`"
    if isinstance(exc, LocalEntryNotFoundError) and not download:
        return "it is not in the cache, and nothing is downloaded here"
    if isinstance(exc, LocalEntryNotFoundError):
        where = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the Hub is out of reach"
        return (
            f"{where} and it is not in the cache; download it where there is a network "
            "(`hf download`), and give the folder"
        )
    return str(exc).strip().splitlines()[0]
