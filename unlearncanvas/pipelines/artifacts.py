"""Artifacts: the tensors that an eraser changes, on disk.

An artifact is two files: ``erased.safetensors``, the changed and added tensors, and
``artifact.json``, its provenance. Images are always drawn from an artifact read back from disk.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from erasers.base import Leaves, load_tensors
from unlearncanvas.core.building import build, import_class
from unlearncanvas.core.digests import digest_tensors
from unlearncanvas.core.files import replacing, write_text
from unlearncanvas.core.method_identity import method_identity
from unlearncanvas.core.record import Record
from unlearncanvas.pipelines.base_model import COMPONENTS
from unlearncanvas.pipelines.cost import Cost
from unlearncanvas.types import Concept, PromptPair, Task, Templates


class Artifact(Record):
    """Provenance of an erased model; the content of ``artifact.json``.

    Attributes:
        method: Its name in ``identity``; empty in files from before versions.
        version: Of the eraser's class; 1 in files from before versions.
        leaves: Kind of the artifact; None in files from before versions, where the class has it.
        source_digest: Of the code that ran.
        digest: Digest of all that the artifact depends on; its key.
        tensors_digest: Digest of the content of ``erased.safetensors``.
    """

    eraser: str
    eraser_class: str
    method: str = ""
    version: int = 1
    leaves: Leaves | None = None
    settings: dict[str, object]
    source_digest: str
    targets: tuple[str, ...]
    anchor: str | None
    retain: tuple[str, ...]
    pairs: tuple[PromptPair, ...] = ()
    templates: Templates = Templates()
    seed: int
    base: str
    base_digest: str
    erase_dtype: str
    digest: str
    tensors_digest: str
    cost: Cost

    @property
    def identity(self) -> dict[str, object]:
        """The key of the method that made it, see ``method_identity``."""
        return method_identity(
            self.method or self.eraser,
            self.settings,
            self.version,
            eraser_class=self.eraser_class,
            source_digest=self.source_digest,
        )

    def task(self) -> Task:
        """Return the task it was made for."""
        return Task(
            targets=tuple(map(Concept.parse, self.targets)),
            anchor=None if self.anchor is None else Concept.parse(self.anchor),
            retain=tuple(map(Concept.parse, self.retain)),
            seed=self.seed,
            pairs=self.pairs,
            templates=self.templates,
        )


def snapshot(
    pipe: StableDiffusionPipeline, names: Collection[str] | None = None
) -> dict[str, Tensor]:
    """Return copies of the named tensors, or of all, on the CPU, keyed component.parameter."""
    return {
        name: tensor.detach().to("cpu", copy=True)
        for name, tensor in tensors_of(pipe).items()
        if names is None or name in names
    }


def tensors_of(pipe: StableDiffusionPipeline) -> dict[str, Tensor]:
    """Return all tensors of the pipeline, not copied."""
    return {
        f"{component}.{name}": tensor
        for component in COMPONENTS
        for name, tensor in getattr(pipe, component).state_dict().items()
    }


def base_digest(pipe: StableDiffusionPipeline) -> str:
    """Return the digest of a base pipeline's tensors, whatever their dtype."""
    return digest_tensors(tensors_of(pipe))


def changed_tensors(
    pipe: StableDiffusionPipeline, before: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return copies of the tensors that differ from a snapshot or are new, on the CPU."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in tensors_of(pipe).items()
        if name not in before or not torch.equal(before[name], tensor.cpu())
    }


@torch.no_grad()
def restore_tensors(pipe: StableDiffusionPipeline, before: Mapping[str, Tensor]) -> None:
    """Copy a snapshot's tensors back in place."""
    own = tensors_of(pipe)
    for name, tensor in before.items():
        own[name].copy_(tensor)


def save_artifact(folder: Path, tensors: Mapping[str, Tensor], artifact: Artifact) -> None:
    """Write both files, the JSON last and by renaming, so that a partial artifact is not found.

    The caller holds the folder's lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".tmp*"):  # of a killed process: safetensors' own temporary names
        left.unlink()
    path = folder / "erased.safetensors"
    with replacing(path) as partial:
        try:
            save_file(dict(tensors), partial)
        except SafetensorError as exc:
            raise OSError(f"cannot write {path}: {exc}") from exc
    write_text(folder / "artifact.json", artifact.model_dump_json(indent=2) + "\n")


def artifact_files(folder: Path) -> list[Path]:
    """Return the two files of an artifact, in the order that they are written in."""
    return [folder / "erased.safetensors", json_path(folder)]


def json_path(folder: Path) -> Path:
    """Return the JSON file of an artifact; ``artefact.json`` in folders of version 0.6."""
    old = folder / "artefact.json"
    new = folder / "artifact.json"
    return old if old.is_file() and not new.is_file() else new


def read_artifact(folder: Path) -> tuple[Artifact, dict[str, Tensor]]:
    """Return a stored artifact; tensors that were stored in half precision come back in float32.

    Raises:
        ValueError: If a file is missing or damaged.
    """
    try:
        artifact = Artifact.model_validate_json(json_path(folder).read_text(encoding="utf-8"))
        tensors = load_file(folder / "erased.safetensors")
    except (OSError, ValueError, SafetensorError) as exc:
        raise ValueError(f"{str(folder)!r} holds no readable artifact: {exc}") from exc
    if digest_tensors(tensors) != artifact.tensors_digest:
        raise ValueError(
            f"the tensors in {str(folder)!r} are not those that {json_path(folder).name} names"
        )
    return artifact, {name: _whole(tensor) for name, tensor in tensors.items()}


def read_record(folder: Path) -> Artifact | None:
    """Return the provenance of an artifact; None without one. Its tensors may be deleted."""
    try:
        return Artifact.model_validate_json(json_path(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with float32 ones in float16."""
    return {
        name: tensor.half() if tensor.dtype is torch.float32 else tensor
        for name, tensor in tensors.items()
    }


def drop_tensors(folder: Path) -> None:
    """Delete an artifact's tensors; its JSON file stays."""
    (folder / "erased.safetensors").unlink(missing_ok=True)


def _whole(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype is torch.float16 else tensor


def load_erased(path: str | Path, pipe: StableDiffusionPipeline) -> StableDiffusionPipeline:
    """Put an artifact onto a base pipeline, in place, and return the pipeline.

    Raises:
        ValueError: If the artifact is damaged or ``pipe`` is another base model.
    """
    artifact, tensors = read_artifact(Path(path))
    found = base_digest(pipe)
    if found != artifact.base_digest:
        raise ValueError(
            f"the artifact was made from base {artifact.base} ({artifact.base_digest[:12]}), "
            f"this pipeline is {found[:12]}"
        )
    restore(pipe, artifact, tensors)
    return pipe


def restore(
    pipe: StableDiffusionPipeline, artifact: Artifact, tensors: Mapping[str, Tensor]
) -> None:
    """Put an artifact's tensors onto its base pipeline; only adapters and hooks need the class."""
    if artifact.leaves == "weights":
        load_tensors(pipe, tensors)
        return
    cls = import_class(artifact.eraser_class)
    eraser = build(cls, artifact.settings, where=f"eraser {artifact.eraser}")
    eraser.restore(pipe, artifact.task(), tensors)


def leaves_of(artifact: Artifact) -> Leaves:
    """Return the kind of an artifact: weights, adapter or hook."""
    if artifact.leaves is not None:
        return artifact.leaves
    leaves: Leaves = import_class(artifact.eraser_class).leaves
    return leaves
