"""An evaluation on a Ray cluster: every edit and every chunk is a task, and any node may be lost.

The driver knows what is missing. An artifact comes back as files, which the driver keeps and puts
into the object store once, so that they travel to every node once; a chunk comes back as files
too. No shared file system is needed. A task that fails, by itself, with its worker or with its
node, runs again; after ``ATTEMPTS`` it is given up and named, and the rest goes on.
"""

import logging
import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from uuid import uuid4

from unlearncanvas.engine.ray_worker import (
    Files,
    artifact_of_model,
    chunk_of_task,
    read_files,
    remove_scratch,
    write_files,
)
from unlearncanvas.engine.recipe import Recipe
from unlearncanvas.engine.runner import Runner
from unlearncanvas.engine.work import DrawTask, recipes_of, tasks_of
from unlearncanvas.pipelines.artifacts import artifact_files

_log = logging.getLogger(__name__)
ATTEMPTS = 3
CLEARING_S = 60.0
"""Seconds that nodes get to remove what their workers kept."""


class Work(NamedTuple):
    """One task of the cluster: the last edit of a model, or a chunk drawn with it.

    Attributes:
        folder: The model's.
        chunk: Place among the evaluation's chunks; None for the edit.
    """

    folder: str
    chunk: int | None


def import_ray() -> ModuleType:
    """Return the module.

    Raises:
        ValueError: If it is not installed.
    """
    try:
        import ray
    except ImportError as exc:
        raise ValueError("--ray needs Ray: pip install 'unlearncanvas[ray]'") from exc
    return ray


@dataclass(kw_only=True)
class Driver:
    """One run of an evaluation's missing work on a cluster.

    Attributes:
        runner: The driver's own: it knows what is missing, and scores in the end.
        address: The cluster's; ``local`` starts one on this machine, ``auto`` finds a running one.
        on_chunk: Called with what came back, after it was written.
        scratch: Folder, in a node's folder for temporary files, of what this run's workers keep.
    """

    runner: Runner
    address: str
    on_chunk: Callable[[Work], None] = lambda _: None
    scratch: str = field(default_factory=lambda: f"unlearncanvas-{uuid4().hex}")

    def run(self) -> list[str]:
        """Run the missing work; return a line for every task that was given up.

        Raises:
            ValueError: If Ray is not installed, or the cluster does not answer.
        """
        ray = import_ray()
        try:
            ray.init(
                address=None if self.address == "local" else self.address,
                log_to_driver=False,
                include_dashboard=False if self.address == "local" else None,
            )
        except (ConnectionError, RuntimeError, ValueError) as exc:
            reason = str(exc).strip().splitlines()[0]
            raise ValueError(f"--ray {self.address}: no cluster there: {reason}") from exc
        try:
            return _Drive(self, ray).run()
        finally:
            self._clear_nodes(ray)
            ray.shutdown()
            remove_scratch(self.scratch)  # what a worker here was writing when it was stopped

    def _clear_nodes(self, ray: ModuleType) -> None:
        """Remove what the workers of this run kept on every node that is still there."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        clear = ray.remote(num_cpus=0, max_retries=0)(remove_scratch)
        tasks = [
            clear.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(self.scratch)
            for node in ray.nodes()
            if node["Alive"]
        ]
        ray.wait(tasks, num_returns=len(tasks), timeout=CLEARING_S)


class _Drive:
    """The state of one run: submitted tasks, attempts, finished models."""

    def __init__(self, driver: Driver, ray: ModuleType) -> None:
        self._driver, self._runner, self._ray = driver, driver.runner, ray
        evaluation = self._runner.evaluation
        on_gpu = evaluation.device.type == "cuda"
        options = {"num_cpus": 1, "num_gpus": 1 if on_gpu else 0, "max_retries": 0}
        self._edit = ray.remote(**options)(artifact_of_model)
        self._draw = ray.remote(**options)(chunk_of_task)
        self._sent = ray.put(pickle.dumps(replace(evaluation, out=Path(driver.scratch))))
        self._models = recipes_of(evaluation)
        self._tasks = tasks_of(evaluation)
        self._attempts: Counter[Work] = Counter()
        self._running: dict[Any, Work] = {}
        self._stored: dict[str, Any] = {}
        self._given_up: list[str] = []

    def run(self) -> list[str]:
        """Submit tasks that are ready; write their files and submit what depends on them."""
        self._draw_missing("base", Recipe(base=self._runner.evaluation.model))
        for folder, recipe in self._models.items():
            if len(recipe.steps) == 1:
                self._begin(folder, recipe)
        while self._running:
            (done,), _ = self._ray.wait(list(self._running), num_returns=1)
            work = self._running.pop(done)
            try:
                files: Files = self._ray.get(done)
            except (self._ray.exceptions.RayError, OSError) as exc:
                self._failed(work, exc)
                continue
            self._take(work, files)
            self._driver.on_chunk(work)
        return self._given_up

    def _begin(self, folder: str, recipe: Recipe) -> None:
        """Submit the edit of a model, or its dependents if it is stored."""
        if self._runner.found(recipe, self._of(folder), builds=bool(self._children(folder))):
            self._go_on(folder, recipe)
        else:
            self._submit(Work(folder, None))

    def _go_on(self, folder: str, recipe: Recipe) -> None:
        """Submit the chunks of a stored model and the models that build on it."""
        self._draw_missing(folder, recipe)
        for child, extended in self._children(folder).items():
            self._begin(child, extended)

    def _draw_missing(self, folder: str, recipe: Recipe) -> None:
        tasks = self._of(folder)
        missing = {task.key for task in self._runner.missing(tasks)} if tasks else set()
        there = sum(task.num_images for task in tasks if task.key not in missing)
        self._runner.callback.reused(there)
        for place, task in enumerate(self._tasks):
            if task.key in missing:
                self._submit(Work(folder, place))

    def _submit(self, work: Work) -> None:
        if work.chunk is None:
            before = self._files(self._models[work.folder].before)
            task = self._edit.remote(self._sent, work.folder, *before)
        else:
            recipe = self._tasks[work.chunk].recipe
            task = self._draw.remote(self._sent, work.chunk, *self._files(recipe))
        self._running[task] = work

    def _files(self, recipe: Recipe) -> list[Any]:
        """The artifacts of a recipe in the object store, each put there once."""
        found = []
        for link in recipe.links():
            folder = self._runner.evaluation.folder_of(link)
            if folder not in self._stored:
                place = self._runner.evaluation.root / folder
                self._stored[folder] = self._ray.put(read_files(artifact_files(place)))
            found.append(self._stored[folder])
        return found

    def _take(self, work: Work, files: Files) -> None:
        """Write the files of a task and submit what depends on it."""
        root = self._runner.evaluation.root
        if work.chunk is not None:
            task = self._tasks[work.chunk]
            write_files(root / task.folder / task.image_set.name, files)
            self._runner.callback.drawn(task.num_images)
            return
        recipe = self._models[work.folder]
        write_files(root / work.folder, files)
        if not self._runner.found(recipe, [], builds=True):
            raise ValueError(
                "an artifact came back that is not this driver's: the driver needs the same kind "
                "of device and the same versions as the workers"
            )
        self._go_on(work.folder, recipe)

    def _failed(self, work: Work, exc: Exception) -> None:
        """Count a failure; run the task again, or give it up and what depends on it."""
        self._attempts[work] += 1
        what, reason = self._name(work), str(exc).strip().splitlines()[-1]
        if self._attempts[work] < ATTEMPTS:
            _log.warning("%s failed and runs again: %s", what, reason)
            self._submit(work)
        else:
            self._given_up.append(f"{what}: failed {ATTEMPTS} times: {reason}")

    def _name(self, work: Work) -> str:
        if work.chunk is None:
            return str(self._models[work.folder])
        task = self._tasks[work.chunk]
        return f"{task.recipe} {task.image_set.name} seed {task.seeds[0]}"

    def _of(self, folder: str) -> Sequence[DrawTask]:
        return [task for task in self._tasks if task.folder == folder]

    def _children(self, folder: str) -> dict[str, Recipe]:
        """The models that are one edit further."""
        of = self._runner.evaluation.folder_of
        return {
            child: recipe
            for child, recipe in self._models.items()
            if len(recipe.steps) > 1 and of(recipe.before) == folder
        }
