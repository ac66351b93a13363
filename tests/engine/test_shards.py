"""Parts of the work: together they are all of it, and their numbers are those of one process."""

import shutil
import subprocess
import sys

import pytest

from tests.fixtures.small_grid import bench, command, environment, numbers, write_protocol
from unlearncanvas.engine.shards import Shard


@pytest.mark.parametrize("items", [0, 1, 5, 24])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_parts_are_the_whole(items, count):
    parts = [Shard(index=index, count=count).of(range(items)) for index in range(count)]
    assert [item for part in parts for item in part] == list(range(items))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_what_is_no_part():
    assert Shard.parse("2/8") == Shard(index=2, count=8)
    for text in ("2", "a/b", "-1/2", "1.5/2"):
        with pytest.raises(ValueError, match="takes index/count"):
            Shard.parse(text)
    with pytest.raises(ValueError, match="counted from 0: expected 0/8 to 7/8, got 8/8"):
        Shard.parse("8/8")


def test_a_launcher_says_which_part():
    assert Shard.of_launcher({}) == Shard(index=0, count=1)
    assert Shard.of_launcher({"RANK": "1", "WORLD_SIZE": "4"}) == Shard(index=1, count=4)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """One process: its protocol and its numbers."""
    folder = tmp_path_factory.mktemp("alone")
    protocol = write_protocol(folder)
    done = bench(protocol, folder / "runs")
    assert done.returncode == 0, done.stderr
    return protocol, numbers(folder / "runs")


@pytest.mark.slow
def test_two_processes_of_a_launcher_give_the_numbers_of_one(alone, tmp_path):
    protocol, expected = alone
    (threads,) = {result["environment"]["threads"] for result in expected.values()}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*torchrun, *command(protocol, tmp_path / "runs", "--device", "auto")[1:]],
        capture_output=True, text=True, check=False,
        env={**environment(), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": f"{threads}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    printed = " ".join(done.stdout.split())
    assert printed.count("results.json") == 1
    assert "process 1 of 2: its 5 of 10 chunks are drawn" in printed
    assert "--shard" not in printed
    assert numbers(tmp_path / "runs") == expected


@pytest.mark.slow
def test_shards_of_two_machines_are_merged(alone, tmp_path):
    protocol, expected = alone
    for index in range(2):
        done = bench(protocol, tmp_path / f"machine{index}", "--shard", f"{index}/2")
        assert done.returncode == 0, done.stderr
        assert f"shard {index}/2: its 5 of 10 chunks are drawn" in done.stdout
    torn = next((tmp_path / "machine0").rglob("seed*.parquet"))
    torn.write_bytes(torn.read_bytes()[:-1])
    merged = subprocess.run(
        [*command(protocol, "x")[:2], "unlearncanvas.cli.main", "merge", str(tmp_path / "machine0"),
         str(tmp_path / "machine1"), "--out", str(tmp_path / "runs")],
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert merged.returncode == 0, merged.stderr
    assert "9 chunks and 5 artifacts copied" in merged.stdout
    assert "1 torn" in merged.stdout
    shutil.rmtree(tmp_path / "machine0")
    done = bench(protocol, tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert numbers(tmp_path / "runs") == expected
