"""Files are whole or not there, and what a killed writer leaves is removed by the next one."""

import os
import signal
import subprocess
import sys

import pytest

from unlearncanvas.core.files import replacing, write_text

WRITER = """
import sys, time
from pathlib import Path
from unlearncanvas.core.files import replacing
with replacing(Path(sys.argv[1])) as partial:
    partial.write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def writer(tmp_path):
    """Another process, in the middle of writing."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "a.json")], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"writing\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_killed_writer_leaves_nothing_for_long(writer, tmp_path):
    write_text(tmp_path / "a.json", "whole")
    assert len(names(tmp_path)) == 2  # the other one is still writing
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    write_text(tmp_path / "a.json", "again")
    assert names(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "again"


def test_two_writers_in_one_process_have_two_names(tmp_path):
    with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as two:
        assert one != two
        one.write_text("1")
        two.write_text("2")
    assert (tmp_path / "a").read_text() == "1"
    assert names(tmp_path) == ["a"]


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    write_text(tmp_path / "a[1]", "old")
    (tmp_path / "a[1].123.partial").write_text("of a version before this one")

    def fail():
        with replacing(tmp_path / "a[1]") as partial:
            partial.write_text("ne")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert names(tmp_path) == ["a[1]"]
    assert (tmp_path / "a[1]").read_text() == "old"
