"""The models of an evaluation: the base model, loaded once, and the models of recipes."""

import copy
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from filelock import FileLock
from torch import Tensor

from unlearncanvas.engine.editing import Editing
from unlearncanvas.engine.recipe import Recipe, Step
from unlearncanvas.pipelines.artifacts import (
    Artifact,
    base_digest,
    json_path,
    leaves_of,
    read_artifact,
    read_record,
    restore,
    restore_tensors,
    save_artifact,
    snapshot,
    tensors_of,
)
from unlearncanvas.pipelines.optimizations import prepare_pipeline, without_compiling
from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.ufe import Counted, counted

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class ModelStore:
    """Makes, keeps and lends the models that recipes name.

    Three copies of the base model are held at most, from one loading: one on the CPU that is never
    edited, one in float32 that methods edit, one that draws.

    Attributes:
        load: Returns the base model on the CPU, float32.
        editing: Applies steps.
        sampler: Precision and optimizations of the pipeline that draws.
        folder: Returns where the artifact of a recipe's last step is stored.
    """

    load: Callable[[], StableDiffusionPipeline]
    editing: Editing
    sampler: Sampler
    folder: Callable[[Recipe], Path]
    _base: StableDiffusionPipeline | None = None
    _edited: "_Edited | None" = None
    _drawing: StableDiffusionPipeline | None = None
    _digests: dict[Path, str] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)

    @property
    def base(self) -> StableDiffusionPipeline:
        """The base model on the CPU, float32; not to be edited."""
        if self._base is None:
            self._base = self.load()
        return self._base

    @property
    def base_digest(self) -> str:
        """Digest of the base model's tensors."""
        return self.model_digest(Recipe(base=self.editing.base))

    def model_digest(self, recipe: Recipe) -> str:
        """Return the digest of a model's tensors; every link of the recipe must be stored."""
        folder = self.folder(recipe)
        if folder not in self._digests:
            pipe = self._on(recipe).pipe if recipe.steps else self.base
            self._digests[folder] = base_digest(pipe)
        return self._digests[folder]

    def artifact(self, recipe: Recipe) -> Artifact:
        """Return the artifact of a recipe's last step; missing artifacts of the recipe are made.

        A second process waits for the first; a damaged or outdated artifact is made again.
        """
        if len(recipe.steps) > 1:
            self.artifact(recipe.before)
        folder = self.folder(recipe)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "artifact.lock"):
            try:
                found = self._read(recipe)
            except ValueError as exc:
                _log.warning("%s; erasing again", exc)
                found = None
            return found or self.make(recipe)

    def stored(self, recipe: Recipe) -> Artifact | None:
        """Return a recipe's last artifact if all artifacts of the recipe are complete."""
        if len(recipe.steps) > 1 and self.stored(recipe.before) is None:
            return None
        try:
            return self._read(recipe)
        except ValueError:
            return None

    def recorded(self, recipe: Recipe) -> Artifact | None:
        """Return the provenance of a recipe's last artifact, whose tensors may be deleted.

        Tensors are deleted when all their images are drawn, and only where no other recipe builds
        on them.
        """
        if not self.dropped(recipe):
            return self.stored(recipe)
        if len(recipe.steps) > 1 and self.stored(recipe.before) is None:
            return None
        found = read_record(self.folder(recipe))
        return None if found is None else self._if_asked_for(found, recipe)

    def dropped(self, recipe: Recipe) -> bool:
        """Whether the tensors of a recipe's last artifact are not there."""
        return not (self.folder(recipe) / "erased.safetensors").exists()

    @contextmanager
    def lend(self, recipe: Recipe) -> Iterator[Counted]:
        """Lend the model of a recipe, read from its artifacts, ready to draw; its work is counted.

        Changed weights are copied in place and copied back, no others. For adapters and hooks the
        pipeline is copied from the base model again, and drawn with as it is: ``torch.compile``
        would not see them.
        """
        pipe = self._ready()
        artifacts = [read_artifact(self.folder(link)) for link in recipe.links()]
        plain = all(leaves_of(artifact) == "weights" for artifact, _ in artifacts)
        before = snapshot(pipe, {name for _, tensors in artifacts for name in tensors})
        if not plain:
            without_compiling(pipe)
        try:
            with counted(pipe) as lent:
                for artifact, tensors in artifacts:
                    restore(pipe, artifact, tensors)
                pipe.to(getattr(torch, self.sampler.dtype))
                yield lent
        finally:
            if plain:
                restore_tensors(pipe, before)
            else:
                self._drawing = None

    def _ready(self) -> StableDiffusionPipeline:
        """The pipeline that draws, in the state of the base model."""
        if self._drawing is None:
            self._drawing = prepare_pipeline(self._copied(), self.sampler)
        return self._drawing

    def _copied(self) -> StableDiffusionPipeline:
        """A copy of the base model on the device."""
        return copy.deepcopy(self.base).to(self.editing.device)

    def _read(self, recipe: Recipe) -> Artifact | None:
        """The stored artifact if its key is the recipe's; ValueError if it is damaged."""
        folder = self.folder(recipe)
        if not json_path(folder).exists():
            return None
        found, _ = read_artifact(folder)
        return self._if_asked_for(found, recipe)

    def _if_asked_for(self, found: Artifact, recipe: Recipe) -> Artifact | None:
        """A stored artifact if its key is the recipe's; warn once if the code is another."""
        if found.digest != self.editing.key(recipe.last, self.model_digest(recipe.before)):
            return None
        method = recipe.last.method
        if found.source_digest != method.source_digest and method.name not in self._warned:
            self._warned.add(method.name)
            _log.warning(
                "the code of %s was edited, its version is %d as before: what it made is kept; "
                "raise the version if its numbers change",
                method.name,
                method.version,
            )
        return found

    def make(self, recipe: Recipe) -> Artifact:
        """Apply the last step to the model before it, and store the changed tensors."""
        model_digest = self.model_digest(recipe.before)
        edited, step = self._on(recipe.before), recipe.last
        try:
            tensors, artifact = self.editing.apply(
                edited.pipe,
                step,
                before=edited.before,
                model_digest=model_digest,
                clean=lambda: copy.deepcopy(self.base.unet).to(self.editing.device),
            )
        finally:
            if step.method.eraser.leaves == "weights":
                restore_tensors(edited.pipe, edited.before)
            else:
                self._edited = None
        save_artifact(self.folder(recipe), tensors, artifact)
        return artifact

    def _on(self, recipe: Recipe) -> "_Edited":
        """The pipeline that is edited, in the state of a recipe's model."""
        if self._edited is not None and self._edited.recipe == recipe:
            return self._edited
        reuse = self._edited is not None and _only_weights(self._edited.recipe.steps)
        pipe = self._edited.pipe if reuse and self._edited is not None else self._copied()
        if reuse:
            restore_tensors(pipe, tensors_of(self.base))
        for link in recipe.links():
            restore(pipe, *read_artifact(self.folder(link)))
        before = snapshot(pipe) if recipe.steps else tensors_of(self.base)
        self._edited = _Edited(recipe, pipe, before)
        return self._edited


@dataclass(frozen=True)
class _Edited:
    """The pipeline that is edited, its state and its tensors in that state, on the CPU."""

    recipe: Recipe
    pipe: StableDiffusionPipeline
    before: Mapping[str, Tensor]


def _only_weights(steps: tuple[Step, ...]) -> bool:
    return all(step.method.eraser.leaves == "weights" for step in steps)
