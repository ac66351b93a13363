"""Tasks of a Ray worker: one edit or one chunk, with the artifacts that it depends on."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path

from unlearncanvas.core.files import write_bytes
from unlearncanvas.core.method_identity import source_digest
from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.opening import opened
from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.engine.runner import Runner
from unlearncanvas.engine.work import DrawTask, recipes_of, tasks_of
from unlearncanvas.pipelines.artifacts import artifact_files
from unlearncanvas.pipelines.quiet import silence_libraries

Files = dict[str, bytes]


@cache
def runner_of(sent: bytes) -> Runner:
    """Return a worker's runner, opened once, in a folder of its own below the run's.

    Raises:
        ValueError: If this node has another version of a method.
    """
    silence_libraries()
    evaluation: Evaluation = pickle.loads(sent)
    for recipe in recipes_of(evaluation).values():
        method = recipe.last.method
        cls = type(method.eraser)
        here = replace(method, version=cls.version, source_digest=source_digest(cls))
        if here.identity != method.identity:
            raise ValueError(f"this node has another version of {method.name}; install the same")
    scratch = Path(tempfile.gettempdir(), evaluation.out, f"worker-{os.getpid()}")
    # the worker ends with its process, and so does the runner
    return ExitStack().enter_context(opened(replace(evaluation, out=scratch)))


@cache
def models_of(sent: bytes) -> dict[str, Recipe]:
    """Return the models of a worker's evaluation, listed once."""
    return recipes_of(runner_of(sent).evaluation)


@cache
def chunks_of(sent: bytes) -> list[DrawTask]:
    """Return the chunks of a worker's evaluation, listed once."""
    return tasks_of(runner_of(sent).evaluation)


def artifact_of_model(sent: bytes, folder: str, *before: Files) -> Files:
    """Apply a model's last edit to those before it, and return the artifact's files."""
    runner = runner_of(sent)
    recipe = models_of(sent)[folder]
    try:
        _put(runner, recipe.before, before)
        runner.make(recipe)
        return read_files(artifact_files(runner.evaluation.root / folder))
    finally:
        _remove(runner, recipe)


def chunk_of_task(sent: bytes, place: int, *artifacts: Files) -> Files:
    """Draw a chunk with a stored model, and return its files."""
    runner = runner_of(sent)
    task = chunks_of(sent)[place]
    try:
        _put(runner, task.recipe, artifacts)
        runner.draw([task])
        return read_files(runner.unit(task).chunk.files())
    finally:
        _remove(runner, task.recipe)
        shutil.rmtree(runner.evaluation.root / task.folder, ignore_errors=True)


def remove_scratch(scratch: str) -> None:
    """Remove the workers' files on this node."""
    shutil.rmtree(Path(tempfile.gettempdir(), scratch), ignore_errors=True)


def read_files(paths: Sequence[Path]) -> Files:
    """Return the content of files, by name."""
    return {path.name: path.read_bytes() for path in paths}


def write_files(folder: Path, files: Files) -> None:
    """Write files in their order, the one that completes the others last."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_bytes(folder / name, data)


def _put(runner: Runner, recipe: Recipe, artifacts: Sequence[Files]) -> None:
    """Write the artifacts of a recipe, one a link."""
    for link, files in zip(recipe.links(), artifacts, strict=True):
        write_files(runner.evaluation.root / runner.evaluation.folder_of(link), files)


def _remove(runner: Runner, recipe: Recipe) -> None:
    """Remove the artifacts of a recipe: a worker keeps the models of its task, and no others."""
    for link in recipe.links():
        folder = runner.evaluation.root / runner.evaluation.folder_of(link)
        shutil.rmtree(folder, ignore_errors=True)
