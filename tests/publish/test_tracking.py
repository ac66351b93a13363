"""Tracking: a real offline run is read back; a tracker that fails stops nothing."""

import logging
import threading
import time

import mlflow
import pytest
import torch

from tests.fixtures import small_backdoor
from tests.fixtures.in_process import run
from tests.fixtures.small_grid import ESD_SETTINGS, write_protocol
from tests.fixtures.wandb_file import read
from unlearncanvas.engine.losses import LossCurves
from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun
from unlearncanvas.publish.tracking.async_tracker import AsyncTracker
from unlearncanvas.publish.tracking.callback import TrackerCallback
from unlearncanvas.publish.tracking.library import Library
from unlearncanvas.results.reading import read_results


def bench(protocol, out, *options):
    return run(
        "unlearncanvas.bench", "--eraser", "esd", "--protocol", str(protocol), "--out", str(out),
        "--device", "cpu", "--tier", "smoke", *ESD_SETTINGS, *options,
    )  # fmt: skip


@pytest.mark.slow
def test_an_offline_run_holds_config_losses_scores_and_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    protocol, out = write_protocol(tmp_path), tmp_path / "runs"
    for _ in range(2):  # the second is the same run, gone on with
        done = bench(
            protocol, out, "--wandb_args", "project=mine,notes=trial", "--track", "tensorboard",
            "--track", "mlflow",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "tracking by" not in done.stdout + done.stderr
    folder = next(out.glob("small/esd-*/smoke"))
    files = sorted((folder / "tracked" / "esd").rglob("run-*.wandb"))
    assert len(list(out.rglob("run-*.wandb"))) == 6  # none, noise, esd; twice
    first, second = map(read, files)
    assert first["id"] == second["id"]
    results = read_results(folder / "results.json")
    assert first["config"]["protocol_digest"] == results.protocol_digest
    assert first["config"]["settings"]["steps"] == 2
    losses = [step["loss/style:Mosaic"] for step in first["history"] if "erase_step" in step]
    assert len(losses) == 1
    assert losses[0] > 0
    assert not any("erase_step" in step for step in second["history"])  # nothing was erased again
    row = next(row for row in results.means if row.label == "esd")
    last = first["history"][-1]
    score = row.scores["unlearning_accuracy"]
    assert last["style/unlearning_accuracy"] == pytest.approx(score.value)
    for picture in ("heatmap", "style:Mosaic/sheet"):
        assert last[f"{picture}/_type"] == "image-file"
        assert (files[0].parent / "files" / last[f"{picture}/path"]).stat().st_size > 1000
    ((kind, names),) = first["artifacts"]
    assert kind == "results"
    assert names == ["smoke/results.json"]
    assert any(step.get("images", 0) > 0 for step in first["history"])
    assert len(list(out.rglob("smoke/tracked/*/tensorboard/events.*"))) == 6
    sent = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert {run.info.run_name for run in sent} == {"none", "noise", "esd"}  # resumed
    (sent,) = (run for run in sent if run.info.run_name == "esd")
    assert sent.data.metrics["style/unlearning_accuracy"] == pytest.approx(score.value)
    assert sent.data.metrics["style/ufe"] == row.ufe > 0
    assert sent.data.metrics["loss/style:Mosaic"] == pytest.approx(losses[0])


@pytest.mark.slow
def test_finished_runs_are_sent_later(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    protocol, out = write_protocol(tmp_path), tmp_path / "runs"
    assert bench(protocol, out).returncode == 0
    done = run(
        "unlearncanvas.cli.main", "track", str(out), "--track", "wandb", "--track", "tensorboard"
    )
    assert done.returncode == 0, done.stderr
    assert "3 runs sent to wandb, tensorboard" in done.stdout
    (path,) = next(out.glob("small/esd-*/smoke/tracked/esd")).rglob("run-*.wandb")
    assert "style/unlearning_accuracy" in read(path)["history"][-1]
    assert len(list(out.rglob("tracked/*/tensorboard/events.*"))) == 3
    refused = run("unlearncanvas.cli.main", "track", str(tmp_path / "nothing"))
    assert (refused.returncode, "does not exist" in refused.stderr) == (2, True)


@pytest.mark.slow
def test_the_backdoor_evaluation_is_tracked_as_it_goes_and_later(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    protocol = small_backdoor.write_protocol(tmp_path)
    done = run(
        "unlearncanvas.bench", "--protocol", str(protocol), "--device", "cpu", "--targets",
        str(small_backdoor.write_attack(tmp_path)), "--eraser", "skd", "--set", "steps=2",
        "--set", "batch_size=1", "--out", str(tmp_path / "runs"), "--wandb",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    path = next(tmp_path.rglob("results.json"))
    (row,) = (row for row in read_results(path).rows if row.label == "skd")
    attack, score = row.group["attack"], row.scores["as_asked"]
    (file,) = tmp_path.rglob("run-*.wandb")
    found = read(file)
    assert found["config"]["settings"]["steps"] == 2
    assert (found["config"]["evaluation"], found["config"]["groups"]) == ("backdoor", [attack])
    losses = [step for step in found["history"] if "erase_step" in step]
    assert [step["erase_step"] for step in losses] == [0.0]  # the injection has no run of its own
    assert losses[0][f"loss/{attack}"] > 0
    last = found["history"][-1]
    assert last[f"{attack}/ufe"] == row.cost.ufe > 0
    assert last[f"{attack}/as_asked"] == pytest.approx(score.value)
    assert last[f"{attack}/sheet/_type"] == "image-file"
    ((_, names),) = found["artifacts"]
    assert names == ["custom/results.json"]
    file.unlink()
    later = run("unlearncanvas.cli.main", "track", str(tmp_path / "runs"))
    assert later.returncode == 0, later.stderr
    (file,) = tmp_path.rglob("run-*.wandb")
    again = read(file)
    assert again["history"][-1][f"{attack}/as_asked"] == pytest.approx(score.value)
    assert "--protocol" in again["config"]["command"]


class Broken(Library):
    name = module = package = "broken"

    def __init__(self):
        super().__init__({})
        self.calls = 0

    def start(self, run):
        self.calls += 1
        raise ConnectionError("the server is\ngone")

    def log_summary(self, tracker, summary):
        raise AssertionError("called after it failed")


class Stuck(Broken):
    def start(self, run):
        threading.Event().wait()


class Exiting(Broken):
    def start(self, run):
        self.calls += 1
        raise SystemExit("log in first")


class Failing(Broken):
    """Fails in the middle of a run."""

    def start(self, run):
        return self

    def log(self, tracker, values, step):
        self.calls += 1
        raise ConnectionError("the server is gone")


@pytest.mark.parametrize(
    ("library", "said", "calls"),
    [
        (Broken(), "the server is gone", 1),
        (Exiting(), "log in first", 1),
        (Stuck(), "no answer within 0 s", 0),
        (Failing(), "the server is gone", 1),
    ],
)
def test_a_tracker_that_fails_or_hangs_stops_nothing(tmp_path, caplog, library, said, calls):
    tracker = AsyncTracker(library, patience=0.2, in_turn=True)
    with caplog.at_level(logging.WARNING):
        for name in ("esd", "uce"):
            tracker.open(TrackedRun(name=name, group="mini", folder=tmp_path, config={}))
            for step in range(3):
                tracker.log(name, {"loss": 1.0}, step)
            tracker.finish(name, RunSummary(scores={}, pictures={}, files=[]))
        tracker.close()
    assert said in caplog.text
    assert f"unlearncanvas track RUNS --track {library.name}" in caplog.text
    assert (len(caplog.records), library.calls, tracker.failed) == (1, calls, True)


def test_a_tracker_that_answers_too_late_is_one_warning(tmp_path, caplog):
    awake = threading.Event()

    class Late(Broken):
        def start(self, run):
            awake.wait()
            raise ConnectionError("too late")

    tracker = AsyncTracker(Late(), patience=0.05)
    tracker.open(TrackedRun(name="esd", group="mini", folder=tmp_path, config={}))
    tracker.close()
    awake.set()
    tracker._threads[0].join()
    (record,) = caplog.records
    assert "no answer" in record.getMessage()


class Slow(Broken):
    def start(self, run):
        return self

    def log(self, tracker, values, step):
        time.sleep(0.1)
        self.calls += 1

    def log_summary(self, tracker, summary):
        pass

    def finish(self, tracker, *, interrupted):
        pass


def test_a_slow_tracker_is_waited_for_while_it_goes_on(tmp_path):
    tracker = AsyncTracker(Slow(), patience=0.3)
    tracker.open(TrackedRun(name="esd", group="mini", folder=tmp_path, config={}))
    for step in range(6):
        tracker.log("esd", {"loss": 1.0}, step)
    tracker.close()
    assert (tracker._library.calls, tracker.failed) == (6, False)


def test_losses_are_one_curve_a_name_and_read_now_and_then():
    seen = []
    report = LossCurves(on_loss=lambda *point: seen.append(point), every=2)
    for value in (1.0, 2.0, 3.0):
        report(forget=torch.tensor(value, requires_grad=True), retain=-value)
    report(forget=4.0)
    assert seen == [
        ("forget", 0, 1.0),
        ("retain", 0, -1.0),
        ("forget", 2, 3.0),
        ("retain", 2, -3.0),
    ]


def test_each_of_several_losses_has_a_curve_of_its_own(tmp_path):
    logged = []

    class Kept(Slow):
        def log(self, tracker, values, step):
            logged.append((values, step))

    tracker = AsyncTracker(Kept())
    run = TrackedRun(name="shs", group="mini", folder=tmp_path, config={})
    callback = TrackerCallback([tracker], {"shs": run})
    callback.erasing("inject", "evil-edit")
    callback.loss("loss", 0, 1.0)  # of no tracked run
    callback.erasing("shs", "object:Cat")
    callback.loss("forget", 0, 2.0)
    callback.loss("retain", 0, 3.0)
    callback.loss("loss", 5, 4.0)
    tracker.close()
    assert logged == [
        ({"loss/object:Cat/forget": 2.0}, 0),
        ({"loss/object:Cat/retain": 3.0}, 0),
        ({"loss/object:Cat": 4.0}, 5),
    ]


@pytest.mark.slow
def test_every_erase_seed_has_a_run_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    done = bench(
        write_protocol(tmp_path), tmp_path / "runs", "--erase-seeds", "3,4", "--wandb_args",
        "mode=offline,name=trial,group=mine",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "tracking by" not in done.stdout + done.stderr
    found = {run["name"]: run for run in map(read, tmp_path.rglob("run-*.wandb"))}
    assert set(found) == {"trial none", "trial noise", "trial esd seed 3", "trial esd seed 4"}
    path = next(tmp_path.rglob("smoke-*/results.json"))
    for row in read_results(path).means[-2:]:
        run = found[f"trial {row.label}"]
        seed = row.label.rpartition(" ")[2]
        assert (run["group"], run["config"]["erase_seed"]) == ("mine", int(seed))
        last = run["history"][-1]
        assert last["style/fid_minicanvas"] == pytest.approx(row.scores["fid_minicanvas"].value)
        sheets = {key.split("/")[0] for key in last if key.endswith("sheet/_type")}
        assert sheets == {"style:Mosaic"}
        assert [step["erase_step"] for step in run["history"] if "erase_step" in step] == [0.0]
        names = {name for _, files in run["artifacts"] for name in files}
        assert names == {f"{path.parent.name}/results.json"}
