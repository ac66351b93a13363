"""The exam on a Ray cluster: every erasure and every chunk is a task, and any node may be lost.

The driver knows what is missing. An erasure comes back as files, which the driver keeps and puts
into the object store once, so that they travel to every node once; a chunk comes back as files
too. No shared file system is needed. A task that fails, by itself, with its worker or with its
node, runs again; after ``ATTEMPTS`` it is given up and named, and the rest goes on.
"""

import logging
import os
import pickle
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from uuid import uuid4

from unlearncanvas.core.config import source_digest
from unlearncanvas.core.files import write_bytes
from unlearncanvas.engine.callbacks import NullCallback
from unlearncanvas.evaluations.grid.exam import Exam
from unlearncanvas.evaluations.grid.plan import Job, Plan
from unlearncanvas.pipelines.artifacts import Artifact, artifact_files

_log = logging.getLogger(__name__)
ATTEMPTS = 3
CLEARING_S = 60.0
"""Seconds that nodes get to remove what their workers kept."""
Files = dict[str, bytes]


class Work(NamedTuple):
    """One task: an erasure, or a chunk of it.

    Attributes:
        job: Place in the plan's jobs.
        seed: The chunk's; None for the erasure.
    """

    job: int
    seed: int | None


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
    """One run of a plan's missing work on a cluster.

    Attributes:
        exam: The exam, loaded here too: it knows what is missing, and scores in the end.
        address: The cluster's; ``local`` starts one on this machine, ``auto`` finds a running one.
        on_chunk: Called with what came back, after it was written.
        scratch: Folder, in a node's folder for temporary files, of what this run's workers keep.
    """

    exam: Exam
    address: str
    on_chunk: Callable[[Work], None] = lambda _: None
    scratch: str = field(default_factory=lambda: f"unlearncanvas-{uuid4().hex}")
    _attempts: Counter[Work] = field(default_factory=Counter)
    _running: dict[Any, Work] = field(default_factory=dict)
    _erased: dict[int, Any] = field(default_factory=dict)

    def run(self) -> list[str]:
        """Do what is missing; return a line for every task that was given up.

        Raises:
            ValueError: If Ray is not installed, or the cluster does not answer.
        """
        ray, plan = import_ray(), self.exam.plan
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
            return self._drive(ray, plan.jobs())
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

    def _drive(self, ray: ModuleType, jobs: Sequence[Job]) -> list[str]:
        on_gpu = self.exam.plan.device.type == "cuda"
        options = {"num_cpus": 1, "num_gpus": 1 if on_gpu else 0, "max_retries": 0}
        erase, draw = (ray.remote(**options)(task) for task in (erased_files, chunk_files))
        plan = ray.put(pickle.dumps(replace(self.exam.plan, out=Path(self.scratch))))
        given_up: list[str] = []

        def submit(work: Work) -> None:
            if work.seed is None:
                self._running[erase.remote(plan, work.job)] = work
            else:
                files = self._erased[work.job]
                self._running[draw.remote(plan, work.job, work.seed, files)] = work

        def draw_missing(index: int, artifact: Artifact) -> None:
            job = jobs[index]
            seeds = self.exam.missing(job, artifact)
            there = len(self.exam.plan.seeds) - len(seeds)
            self.exam.callback.reused(there * self.exam.plan.images_of(job))
            if seeds:
                self._erased[index] = ray.put(_read(artifact_files(job.folder)))
            for seed in seeds:
                submit(Work(index, seed))

        for index, job in enumerate(jobs):
            artifact = self.exam.stored(job)
            if artifact is None:
                submit(Work(index, None))
            else:
                draw_missing(index, artifact)
        while self._running:
            (done,), _ = ray.wait(list(self._running), num_returns=1)
            work = self._running.pop(done)
            job = jobs[work.job]
            try:
                files: Files = ray.get(done)
            except (ray.exceptions.RayError, OSError) as exc:
                line = self._failed(work, job, exc)
                if line is None:
                    submit(work)
                else:
                    given_up.append(line)
                continue
            _write(job.folder if work.seed is None else job.folder / "chunks", files)
            if work.seed is None:
                artifact = self.exam.stored(job)
                if artifact is None:
                    raise ValueError(
                        "an erasure came back that is not this driver's: the driver needs the same "
                        "kind of device and the same versions as the workers"
                    )
                draw_missing(work.job, artifact)
            else:
                self.exam.callback.drawn(self.exam.plan.images_of(job))
            self.on_chunk(work)
        return given_up

    def _failed(self, work: Work, job: Job, exc: Exception) -> str | None:
        """Count a failure; return what is given up, None while it may run again."""
        self._attempts[work] += 1
        what = f"{job.eraser.name} {', '.join(map(str, job.task.targets))}"
        what += "" if work.seed is None else f" seed {work.seed}"
        reason = str(exc).strip().splitlines()[-1]
        if self._attempts[work] < ATTEMPTS:
            _log.warning("%s failed and runs again: %s", what, reason)
            return None
        return f"{what}: failed {ATTEMPTS} times: {reason}"


@cache
def _exam_of(plan: bytes) -> Exam:
    """A worker's exam, loaded once, in a folder of its own under the run's.

    Raises:
        ValueError: If this node has another version of an eraser.
    """
    from unlearncanvas.pipelines.quiet import silence_libraries

    silence_libraries()
    asked: Plan = pickle.loads(plan)
    for eraser in asked.erasers:
        cls = type(eraser.eraser)
        here = replace(eraser, version=cls.version, source_digest=source_digest(cls))
        if here.identity != eraser.identity:
            raise ValueError(f"this node has another version of {eraser.name}; install the same")
    scratch = Path(tempfile.gettempdir(), asked.out, f"worker-{os.getpid()}")
    return Exam(plan=replace(asked, out=scratch), callback=NullCallback())


def erased_files(plan: bytes, index: int) -> Files:
    """Erase, and return the artifact's files. Runs on a worker."""
    exam = _exam_of(plan)
    job = exam.plan.jobs()[index]
    try:
        exam.draw_seeds(job, [])
        return _read(artifact_files(job.folder))
    finally:
        shutil.rmtree(job.folder, ignore_errors=True)


def chunk_files(plan: bytes, index: int, seed: int, artifact: Files) -> Files:
    """Draw a chunk of a stored erasure, and return its files. Runs on a worker."""
    exam = _exam_of(plan)
    job = exam.plan.jobs()[index]
    try:
        _write(job.folder, artifact)
        (chunk,) = exam.draw_seeds(job, [seed])
        return _read(chunk.files())
    finally:
        shutil.rmtree(job.folder, ignore_errors=True)


def remove_scratch(scratch: str) -> None:
    """Remove what workers kept on this node. Runs on a worker, and with the driver."""
    shutil.rmtree(Path(tempfile.gettempdir(), scratch), ignore_errors=True)


def _read(paths: Sequence[Path]) -> Files:
    return {path.name: path.read_bytes() for path in paths}


def _write(folder: Path, files: Files) -> None:
    """Write files in their order, the one that seals the others last."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_bytes(folder / name, data)
