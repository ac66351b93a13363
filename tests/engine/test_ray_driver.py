"""A real Ray cluster of two nodes on this machine; one is killed while it draws."""

import pickle
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from tests.fixtures import small_backdoor
from tests.fixtures.small_grid import numbers, write_protocol
from unlearncanvas.cli.app import with_default
from unlearncanvas.core.registry import find_config, read_yaml
from unlearncanvas.engine.callbacks import NullCallback
from unlearncanvas.engine.opening import opened
from unlearncanvas.engine.ray_driver import Driver, Work
from unlearncanvas.engine.ray_worker import runner_of
from unlearncanvas.engine.registry import evaluation_of
from unlearncanvas.results.run_config import read_options

pytest.importorskip("ray")
quiet = pytest.mark.filterwarnings("ignore::Warning")  # Ray's own, many
ESD = {"steps": 2, "batch_size": 1, "num_inference_steps": 2}


def test_the_option_may_stand_alone():
    assert with_default(["--ray"], "--ray", "local") == ["--ray", "local"]
    assert with_default(["--ray", "--tier", "x"], "--ray", "local") == [
        "--ray", "local", "--tier", "x",
    ]  # fmt: skip
    assert with_default(["--ray", "auto"], "--ray", "local") == ["--ray", "auto"]


def evaluation(protocol, out, eraser, **options):
    asked = {"erasers": eraser, "protocol": str(protocol), "device": "cpu", "out": out}
    return evaluation_of(read_options(asked | options))


def test_a_node_needs_the_version_of_an_eraser_not_its_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    grid = evaluation(write_protocol(tmp_path), tmp_path / "runs", "esd")

    def sent(**changes):
        return pickle.dumps(replace(grid, erasers=(replace(grid.erasers[-1], **changes),)))

    with pytest.raises(ValueError, match="this node has another version of esd"):
        runner_of(sent(version=2))
    assert runner_of(sent(source_digest="0" * 64)).evaluation.erasers[0].name == "esd"


@pytest.fixture
def driver():
    """Open a driver of an evaluation until the test ends."""
    with ExitStack() as stack:

        def open_driver(found, **others):
            found.run_folder().mkdir(parents=True)
            runner = stack.enter_context(opened(found, NullCallback()))
            return Driver(runner=runner, **others)

        yield open_driver


@pytest.fixture
def cluster():
    """Two nodes with one processor each; a worker computes with one thread."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        second = nodes.add_node(num_cpus=1)
        nodes.wait_for_nodes()
        yield nodes, second
        nodes.shutdown()


@quiet
@pytest.mark.slow
def test_what_fails_three_times_is_named_and_the_rest_goes_on(cluster, driver, tmp_path, caplog):
    found = evaluation(
        write_protocol(tmp_path), tmp_path / "runs", "tests.fixtures.failing_eraser:FailsOnCats",
        targets="Mosaic,Cat",
    )  # fmt: skip
    one = driver(found, address=cluster[0].address)
    (line,) = one.run()
    assert line.startswith("failsoncats object:Cat: failed 3 times: ")
    assert "cats are not forgotten" in line
    assert caplog.text.count("failed and runs again") == 2
    drawn = tmp_path.glob("runs/small/failsoncats-*/style-Mosaic-seed0/grid/*.parquet")
    assert len(list(drawn)) == 2
    assert one.run()  # what is drawn is not drawn again; the cat fails again
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


def slow_grid(folder):
    """The small grid, whose chunks take seconds."""
    sampler = read_yaml(find_config("protocols", "mini"))["sampler"]
    return write_protocol(folder, sampler=sampler | {"num_inference_steps": 20, "batch_size": 4})


def grid_run(folder, out):
    return evaluation(slow_grid(folder), out, "esd", settings=ESD), 10, 1


def backdoor_run(folder, out):
    """An injection and two removals: three edits, two of which build on the first."""
    protocol = small_backdoor.write_protocol(folder)
    slow = read_yaml(folder / "small.yaml")
    slow["sampler"]["num_inference_steps"] = 20
    small_backdoor.rewrite(folder / "small.yaml", slow)
    attack = small_backdoor.write_attack(folder)
    settings = {"skd.steps": 2, "skd.batch_size": 2}
    found = evaluation(
        protocol, out, ["t2ishield-edit", "skd"], targets=str(attack), settings=settings
    )
    return found, 21, 2


@quiet
@pytest.mark.slow
@pytest.mark.parametrize("make", [grid_run, backdoor_run])
def test_a_killed_node_costs_its_chunks_and_no_digit(make, cluster, driver, tmp_path, caplog):
    nodes, second = cluster
    seen, most, killed = [], [0], []

    def kill_after_three(work: Work) -> None:
        seen.append(work)
        scratch = Path(tempfile.gettempdir(), one.scratch)
        for worker in scratch.glob("worker-*"):
            most[0] = max(most[0], len(list(worker.rglob("erased.safetensors"))))
        if len(seen) >= 3 and not killed and begins_a_task(second, scratch):
            nodes.remove_node(second, allow_graceful=False)
            killed.append(second)

    found, num_chunks, links = make(tmp_path, tmp_path / "runs")
    one = driver(found, address=nodes.address, on_chunk=kill_after_three)
    assert one.run() == []
    assert 1 <= most[0] <= links  # a worker keeps the models of its task, and no other
    assert not Path(tempfile.gettempdir(), one.scratch).exists()
    assert killed
    assert "failed and runs again" in caplog.text
    assert len([work for work in seen if work.chunk is not None]) == num_chunks
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as Ray's workers have
    try:
        one.runner.run()
        with opened(replace(found, out=tmp_path / "alone")) as alone:
            alone.run()
    finally:
        torch.set_num_threads(threads)
    assert numbers(tmp_path / "runs") == numbers(tmp_path / "alone")
