"""A real Ray cluster of two nodes on this machine; one is killed while it draws."""

import pickle
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from unlearncanvas.engine.ray_cluster import Driver, Work, _exam_of
from unlearncanvas.evaluations.grid.exam import Exam

from tests.fixtures.small_exam import ESD_SETTINGS, bench, numbers, write_protocol
from unlearncanvas.cli.app import with_default
from unlearncanvas.core.building import parse_overrides
from unlearncanvas.core.registry import find_config, read_yaml
from unlearncanvas.engine.callbacks import NullCallback
from unlearncanvas.engine.options import make_plan
from unlearncanvas.results.run_config import RunConfig

pytest.importorskip("ray")
quiet = pytest.mark.filterwarnings("ignore::Warning")  # Ray's own, many


def test_the_option_may_stand_alone():
    assert with_default(["--ray"], "--ray", "local") == ["--ray", "local"]
    assert with_default(["--ray", "--tier", "x"], "--ray", "local") == [
        "--ray", "local", "--tier", "x",
    ]  # fmt: skip
    assert with_default(["--ray", "auto"], "--ray", "local") == ["--ray", "auto"]


def test_a_node_needs_the_version_of_an_eraser_not_its_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    protocol = str(write_protocol(tmp_path))
    plan = make_plan(
        RunConfig(erasers=("esd",), protocol=protocol, device="cpu", out=tmp_path / "runs")
    )

    def sent(**changes):
        return pickle.dumps(replace(plan, erasers=(replace(plan.erasers[-1], **changes),)))

    with pytest.raises(ValueError, match="this node has another version of esd"):
        _exam_of(sent(version=2))
    assert _exam_of(sent(source_digest="0" * 64)).plan.erasers[0].name == "esd"


def driver(protocol, out, eraser, settings=(), targets=None, **others):
    plan = make_plan(
        RunConfig(
            erasers=(eraser,),
            protocol=str(protocol),
            targets=targets,
            settings=parse_overrides(settings),
            device="cpu",
            out=out,
        )
    )
    plan.run_folder().mkdir(parents=True)
    return Driver(exam=Exam(plan=plan, callback=NullCallback()), **others)


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with one processor each; a worker computes with one thread."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        second = nodes.add_node(num_cpus=1)
        nodes.wait_for_nodes()
        yield nodes, second
        nodes.shutdown()


@quiet
@pytest.mark.slow
def test_what_fails_three_times_is_named_and_the_rest_goes_on(cluster, tmp_path, caplog):
    protocol = write_protocol(tmp_path)
    one = driver(
        protocol, tmp_path / "runs", "tests.fixtures.failing_eraser:FailsOnCats",
        targets="Mosaic,Cat", address=cluster[0].address,
    )  # fmt: skip
    (line,) = one.run()
    assert line.startswith("failsoncats object:Cat: failed 3 times: ")
    assert "nobody forgets a cat" in line
    assert caplog.text.count("failed and runs again") == 2
    drawn = tmp_path.glob("runs/small/failsoncats-*/style-Mosaic-seed0/chunks/*.parquet")
    assert len(list(drawn)) == 2
    assert one.run()  # what is there is not drawn again; the cat fails again
    assert not Path(tempfile.gettempdir(), one.scratch).exists()


def begins_a_task(node, scratch, seconds=20):
    """Wait for a worker of a node to get the erased model of its next task; False if none does."""
    raylet = node.all_processes["raylet"][0].process.pid
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in scratch.glob("worker-*/**/erased.safetensors"):
            pid = int(path.relative_to(scratch).parts[0].removeprefix("worker-"))
            with suppress(psutil.NoSuchProcess, FileNotFoundError):  # it ended just now
                new = time.time() - path.stat().st_mtime < 1
                if new and psutil.Process(pid).ppid() == raylet:
                    return True
        time.sleep(0.05)
    return False


@quiet
@pytest.mark.slow
def test_a_killed_node_costs_its_chunks_and_no_digit(cluster, tmp_path, monkeypatch, caplog):
    nodes, second = cluster
    sampler = read_yaml(find_config("protocols", "mini"))["sampler"]
    slow = sampler | {"num_inference_steps": 20, "batch_size": 4}  # a chunk takes seconds
    protocol = write_protocol(tmp_path, sampler=slow)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as Ray's workers have
    alone = bench(protocol, tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr
    seen, most, killed = [], [0], []

    def kill_after_three(work: Work) -> None:
        seen.append(work)
        scratch = Path(tempfile.gettempdir(), one.scratch)
        for worker in scratch.glob("worker-*"):
            most[0] = max(most[0], len(list(worker.rglob("erased.safetensors"))))
        if len(seen) >= 3 and not killed and begins_a_task(second, scratch):
            nodes.remove_node(second, allow_graceful=False)
            killed.append(second)

    one = driver(
        protocol, tmp_path / "runs", "esd", settings=ESD_SETTINGS[1::2], address=nodes.address,
        on_chunk=kill_after_three,
    )  # fmt: skip
    assert one.run() == []
    assert most == [1]  # a worker keeps the erased model of its task, and no other
    assert not Path(tempfile.gettempdir(), one.scratch).exists()
    assert killed
    assert "failed and runs again" in caplog.text
    assert len([work for work in seen if work.seed is not None]) == 10
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the scores' own record of it, too
    try:
        one.exam.run()
    finally:
        torch.set_num_threads(threads)
    assert numbers(tmp_path / "runs") == numbers(tmp_path / "alone")
