"""Weights & Biases, offline: the run's file is written and holds the scores."""

import pytest

from tests.small_exam import bench, write_protocol


@pytest.mark.slow
def test_an_offline_run_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    done = bench(write_protocol(tmp_path), tmp_path / "runs", "--tier", "smoke", "--wandb")
    assert done.returncode == 0, done.stderr
    files = list((tmp_path / "runs").rglob("run-*.wandb"))
    assert len(files) == 3  # none, noise, esd
    assert any(b"unlearning_accuracy" in path.read_bytes() for path in files)
