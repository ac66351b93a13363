"""Base pipelines and artifacts: what is stored is what comes back, and nothing else is taken."""

import copy
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.fixtures.in_process import run
from unlearncanvas.pipelines.artifacts import (
    artifact_files,
    base_digest,
    leaves_of,
    load_erased,
    read_record,
    restore_tensors,
    snapshot,
    tensors_of,
)
from unlearncanvas.pipelines.methods import load_eraser


@pytest.fixture
def uce():
    return load_eraser("uce", preset="mini")


def test_an_artifact_holds_what_changed_and_what_made_it(bench, uce, task, tmp_path):
    artifact = bench.artifact(uce, task, tmp_path)
    tensors = load_file(tmp_path / "erased.safetensors")
    assert all(".attn2.to_" in name for name in tensors)
    assert artifact.task() == task
    assert artifact.eraser_class == "erasers.uce.UCE"
    assert artifact.cost.stored_bytes == sum(tensor.nbytes for tensor in tensors.values())
    assert artifact.cost.ufe == 0
    assert artifact.cost.text_forwards > 0


def test_the_next_erasure_starts_from_the_base(bench, uce, task, tmp_path):
    bench.artifact(uce, task, tmp_path / "first")
    bench.artifact(load_eraser("noise", preset="mini"), task, tmp_path / "noise")
    bench.artifact(uce, task, tmp_path / "second")
    first, second = (
        load_file(tmp_path / name / "erased.safetensors") for name in ("first", "second")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_stored_artifact_is_not_made_again(bench, uce, task, tmp_path):
    made = bench.artifact(uce, task, tmp_path)
    stamp = (tmp_path / "erased.safetensors").stat().st_mtime_ns
    assert bench.artifact(uce, task, tmp_path) == made
    assert (tmp_path / "erased.safetensors").stat().st_mtime_ns == stamp


def test_other_settings_or_another_task_are_another_artifact(bench, uce, task):
    other = load_eraser("uce", preset="mini", overrides={"lam": 0.9})
    moved = type(task)(targets=task.targets, anchor=task.anchor, retain=task.retain, seed=4)
    digests = {
        bench.artifact_digest(uce, task),
        bench.artifact_digest(other, task),
        bench.artifact_digest(uce, moved),
    }
    assert len(digests) == 3


def test_a_damaged_artifact_is_made_again(bench, uce, task, tmp_path):
    made = bench.artifact(uce, task, tmp_path)
    tensors = load_file(tmp_path / "erased.safetensors")
    save_file(
        {name: tensor + 1 for name, tensor in tensors.items()}, tmp_path / "erased.safetensors"
    )
    assert bench.artifact(uce, task, tmp_path).tensors_digest == made.tensors_digest
    restored = load_file(tmp_path / "erased.safetensors")
    assert all(torch.equal(tensors[name], restored[name]) for name in tensors)


def test_a_folder_of_before_has_artefact_json_and_is_read(bench, uce, task, pipe, tmp_path):
    made = bench.artifact(uce, task, tmp_path)
    (tmp_path / "artifact.json").rename(tmp_path / "artefact.json")
    assert bench.artifact(uce, task, tmp_path) == read_record(tmp_path) == made
    assert load_erased(tmp_path, pipe) is pipe
    assert artifact_files(tmp_path)[-1] == tmp_path / "artefact.json"
    assert not (tmp_path / "artifact.json").exists()
    found = run("unlearncanvas.cli.main", "merge", str(tmp_path), "--out", str(tmp_path / "all"))
    assert "1 artifacts copied" in found.stdout
    assert read_record(tmp_path / "all") == made


@pytest.mark.parametrize("change", [("seconds", 1), ("ufe", 1), ("stored_bytes", -4)])
def test_a_record_with_another_cost_is_made_again(bench, uce, task, tmp_path, caplog, change):
    made = bench.artifact(uce, task, tmp_path)
    record = json.loads((tmp_path / "artifact.json").read_text())
    record["cost"][change[0]] += change[1]
    (tmp_path / "artifact.json").write_text(json.dumps(record))
    assert bench.recorded(uce, task, tmp_path) is None
    assert bench.artifact(uce, task, tmp_path).cost.ufe == made.cost.ufe
    assert "the record is damaged" in caplog.text
    assert "erasing again" in caplog.text
    del record["record_digest"]  # of a version that wrote none: it is read as it is
    (tmp_path / "artifact.json").write_text(json.dumps(record))
    assert bench.artifact(uce, task, tmp_path).cost.model_dump() == record["cost"]


def test_torn_tensors_are_noticed_when_nothing_is_left_to_draw(bench, uce, task, tmp_path):
    bench.artifact(uce, task, tmp_path)
    path = tmp_path / "erased.safetensors"
    assert bench.recorded(uce, task, tmp_path) is not None
    path.write_bytes(path.read_bytes()[:-7])
    assert bench.recorded(uce, task, tmp_path) is None
    path.unlink()  # dropped on purpose
    assert bench.recorded(uce, task, tmp_path) is not None


def test_what_a_killed_process_left_of_the_tensors_is_removed(bench, uce, task, tmp_path):
    for name in (".tmpAbCdEf", "erased.safetensors.1234.partial"):
        (tmp_path / name).write_bytes(b"half a UNet")
    bench.artifact(uce, task, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "artifact.json", "artifact.lock", "erased.safetensors",
    }  # fmt: skip


def test_load_erased_gives_the_erased_pipeline(bench, uce, task, tiny_base, tmp_path):
    bench.artifact(uce, task, tmp_path)
    expected = copy.deepcopy(tiny_base)
    uce.eraser.erase(expected, task)
    pipe = load_erased(tmp_path, copy.deepcopy(tiny_base))
    wanted = tensors_of(expected)
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in tensors_of(pipe).items())


def edit(folder, **changes):
    """Change keys of ``artifact.json``, as if it had no digest of its own; None takes one out."""
    path = folder / "artifact.json"
    said = json.loads(path.read_text()) | {"record_digest": None} | changes
    path.write_text(json.dumps({key: value for key, value in said.items() if value is not None}))


BEFORE_VERSIONS = {"method": None, "version": None, "leaves": None}


def test_weights_are_loaded_and_exported_without_their_class(bench, uce, task, pipe, tmp_path):
    artifact = bench.artifact(uce, task, tmp_path)
    assert (artifact.method, artifact.version, artifact.leaves) == ("uce", uce.version, "weights")
    before = snapshot(pipe)
    edit(tmp_path, eraser_class="gone.Eraser", settings={"unknown": 1})
    load_erased(tmp_path, pipe)
    changed = {name for name, tensor in tensors_of(pipe).items() if (tensor != before[name]).any()}
    assert changed == set(load_file(tmp_path / "erased.safetensors"))
    assert leaves_of(read_record(tmp_path)) == "weights"


def test_a_hook_needs_its_class(bench, task, pipe, tmp_path):
    bench.artifact(
        load_eraser("tests.fixtures.hooking_eraser:Hooking", preset=None), task, tmp_path
    )
    edit(tmp_path, eraser_class="gone.Eraser")
    with pytest.raises(ValueError, match=r"cannot import 'gone\.Eraser'"):
        load_erased(tmp_path, pipe)


def test_an_artifact_from_before_versions_is_read_by_its_class(bench, uce, task, pipe, tmp_path):
    made = bench.artifact(replace(uce, version=1), task, tmp_path)
    edit(tmp_path, **BEFORE_VERSIONS)
    old = read_record(tmp_path)
    assert (old.identity, leaves_of(old)) == (made.identity, "weights")
    before = base_digest(pipe)
    load_erased(tmp_path, pipe)
    assert base_digest(pipe) != before


def test_edited_code_of_the_same_version_is_named_once_and_voids_nothing(
    bench, uce, task, tmp_path, caplog
):
    made = bench.artifact(uce, task, tmp_path)
    assert caplog.text == ""
    edit(tmp_path, source_digest="0" * 64)
    again = [bench.artifact(uce, task, tmp_path) for _ in range(2)]
    assert {found.source_digest for found in again} == {"0" * 64}
    assert {found.digest for found in again} == {made.digest}
    named = f"the code of uce was edited, its version is {uce.version} as before"
    assert caplog.text.count(named) == 1
    later = replace(uce, version=uce.version + 1)
    assert bench.artifact(later, task, tmp_path).version == later.version


def test_load_erased_refuses_another_base_and_damage(bench, uce, task, pipe, tmp_path):
    bench.artifact(uce, task, tmp_path)
    pipe.unet.conv_in.bias.data.add_(1)
    with pytest.raises(ValueError, match="the artifact was made from base tiny"):
        load_erased(tmp_path, pipe)
    (tmp_path / "erased.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="holds no readable artifact"):
        load_erased(tmp_path, pipe)
    with pytest.raises(ValueError, match="holds no readable artifact"):
        load_erased(tmp_path / "missing", pipe)


def test_restoring_tensors_is_exact(pipe):
    before = snapshot(pipe)
    pipe.unet.conv_in.weight.data.mul_(2)
    restore_tensors(pipe, before)
    assert all(torch.equal(before[name], tensor) for name, tensor in tensors_of(pipe).items())


def test_digest_sees_one_changed_value_and_ignores_precision_it_can_hold(pipe):
    first = base_digest(pipe)
    pipe.unet.conv_in.bias.data[0] += 1
    assert base_digest(pipe) != first
