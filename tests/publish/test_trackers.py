"""Each tracking library: what was written is read back; what is asked for is checked."""

import os
import sys
import threading
from types import ModuleType
from unittest.mock import MagicMock

import pytest
from accelerate import PartialState
from accelerate.tracking import LOGGER_TYPE_TO_CLASS
from PIL import Image

from metrics.base import Score
from tests.fixtures.wandb_file import read
from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun, numbers
from unlearncanvas.publish.tracking.async_tracker import AsyncTracker
from unlearncanvas.publish.tracking.library import Library, flat
from unlearncanvas.publish.tracking.mlflow_tracker import MLflow
from unlearncanvas.publish.tracking.other_trackers import OtherLibrary
from unlearncanvas.publish.tracking.requested import NAMES, as_track, libraries
from unlearncanvas.publish.tracking.tensorboard_tracker import TensorBoard
from unlearncanvas.publish.tracking.wandb_tracker import Wandb

CONFIG = {"settings": {"lr": 2e-4, "anchor": None}, "targets": ["Mosaic", "Cat"], "tier": "smoke"}


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch):
    """Accelerate's state as it is before a run."""
    monkeypatch.setattr(PartialState, "_shared_state", {})


def a_run(folder, name="esd", config=CONFIG):
    return TrackedRun(name=name, group="mini", folder=folder / name, config=config)


def a_summary(folder):
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), (255, 0, 0)).save(folder / "sheet.png")
    (folder / "results.json").write_text("{}")
    return RunSummary(
        scores={"style/fid": 3.5, "style/fid/low": 3.0},
        pictures={"style-Mosaic/sheet": folder / "sheet.png"},
        files=[folder / "results.json"],
    )


def send(library, folder, *names, losses=(0.5, 0.25), ended=True, config=CONFIG):
    """Two runs at once, as a benchmark with two erasers has them."""
    tracker = AsyncTracker(library)
    for name in names:
        tracker.open(a_run(folder, name, config))
        for step, loss in enumerate(losses):
            tracker.log(name, {"loss/style:Mosaic": loss}, 10 * step)
        tracker.log(name, {"images": 4.0})
    for name in names if ended else ():
        tracker.finish(name, a_summary(folder / "smoke"))
    tracker.close()
    assert not tracker.failed


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder)).Reload()
    scalars = found.Tags()["scalars"]
    curves = {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in scalars}
    return curves, {tag: found.Images(tag)[0] for tag in found.Tags()["images"]}


def test_tensorboard_shows_curves_scores_and_pictures(tmp_path):
    send(TensorBoard({}), tmp_path, "esd", "uce")
    for name in ("esd", "uce"):
        curves, pictures = events(tmp_path / name / "tensorboard")
        assert curves["loss/style:Mosaic"] == [(0, 0.5), (10, 0.25)]
        assert (curves["style/fid"], curves["style/fid/low"]) == ([(0, 3.5)], [(0, 3.0)])
        assert (pictures["style-Mosaic/sheet"].width, pictures["style-Mosaic/sheet"].height) == (
            6,
            4,
        )
    stored = list((tmp_path / "esd").rglob("hparams.yml"))
    assert "settings.lr: 0.0002" in stored[0].read_text()
    send(TensorBoard({}), tmp_path, "esd", losses=(0.125,))  # resumed
    curves, _ = events(tmp_path / "esd" / "tensorboard")
    assert sorted(value for _, value in curves["loss/style:Mosaic"])[0] == 0.125
    assert list((tmp_path / "esd").rglob("hparams.yml")) == stored


def test_tensorboard_in_a_folder_of_the_users_choice(tmp_path):
    for _ in range(2):
        send(TensorBoard({"logging_dir": str(tmp_path / "board")}), tmp_path / "runs", "esd")
    (folder,) = (tmp_path / "board" / "mini").iterdir()
    assert folder.name.startswith("esd-")
    assert not list((tmp_path / "runs").rglob("events.*"))


@pytest.fixture
def mlflow_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("DO_NOT_TRACK", "true")
    import mlflow

    def stored(experiment):
        found = mlflow.get_experiment_by_name(experiment)
        runs = mlflow.search_runs([found.experiment_id], output_format="list")
        return {run.info.run_name: run for run in runs}

    return stored


def test_mlflow_holds_config_curves_scores_pictures_and_files(tmp_path, mlflow_store):
    import mlflow

    library = MLflow({"experiment_name": "mine", "run_name": "trial"})
    send(library, tmp_path, "esd", "uce")
    found = mlflow_store("mine")
    assert set(found) == {"trial esd", "trial uce"}
    run = found["trial esd"]
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "settings.lr": "0.0002", "settings.anchor": "null", "targets": '["Mosaic", "Cat"]',
        "tier": "smoke",
    }  # fmt: skip
    metrics = run.data.metrics
    assert (metrics["style/fid"], metrics["style/fid.low"], metrics["images"]) == (3.5, 3.0, 4.0)
    client, run_id = mlflow.MlflowClient(), run.info.run_id
    curve = client.get_metric_history(run_id, "loss/style:Mosaic")
    assert [(point.step, point.value) for point in curve] == [(0, 0.5), (10, 0.25)]
    (picture,) = client.list_artifacts(run_id, "pictures/style-Mosaic")
    (file,) = client.list_artifacts(run_id, "results/smoke")
    assert (picture.path, file.path) == (
        "pictures/style-Mosaic/sheet.png", "results/smoke/results.json",
    )  # fmt: skip


def test_an_interrupted_mlflow_run_is_killed_and_goes_on_when_resumed(tmp_path, mlflow_store):
    import mlflow

    send(MLflow({}), tmp_path, "esd", ended=False)
    (run,) = mlflow_store("unlearncanvas").values()
    assert run.info.status == "KILLED"
    send(MLflow({}), tmp_path, "esd", losses=(0.125,), config=CONFIG | {"tier": "quick"})
    (again,) = mlflow_store("unlearncanvas").values()
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert again.data.params["tier"] == "smoke"  # MLflow refuses to change a parameter
    curve = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss/style:Mosaic")
    assert [point.value for point in curve] == [0.5, 0.25, 0.125]


def test_two_open_wandb_runs_keep_their_own_config_and_curves(tmp_path):
    send(Wandb({"mode": "offline", "name": "trial"}), tmp_path, "esd", "uce")
    for name in ("esd", "uce"):
        (path,) = (tmp_path / name).rglob("run-*.wandb")
        found = read(path)
        assert (found["name"], found["group"]) == (f"trial {name}", "mini")
        assert found["config"]["settings"] == CONFIG["settings"]
        losses = [(p["erase_step"], p["loss/style:Mosaic"]) for p in found["history"][:2]]
        assert losses == [(0.0, 0.5), (10.0, 0.25)]
        assert found["history"][-1]["style-Mosaic/sheet/_type"] == "image-file"


def test_an_interrupted_wandb_run_has_failed_and_goes_on_when_resumed(tmp_path):
    found = []
    for ended in (False, True):
        send(Wandb({"mode": "offline"}), tmp_path, "esd", ended=ended)
        (path,) = (tmp_path / "esd").rglob("run-*.wandb")
        found.append(read(path))
        path.unlink()  # the next may be of the same second, and have its name
    first, second = found
    assert first["id"] == second["id"]
    assert (first["exit_code"], second["exit_code"]) == (1, 0)


def stand_in(monkeypatch, name):
    """A package that takes every call, in place of one that is not installed."""
    package = MagicMock(__version__="9.0")
    monkeypatch.setitem(sys.modules, name, package)
    if name == "clearml":
        package.Task.current_task.return_value = None
    if name == "dvclive":
        monkeypatch.setitem(sys.modules, "dvclive.plots", MagicMock())
    return package


@pytest.mark.parametrize(
    ("name", "call", "said", "image"),
    [
        ("aim", "Run", {"experiment": "mine"}, "Image"),
        ("clearml", "Task.init", {"project_name": "mine", "task_name": "esd"}, "report_image"),
        ("comet_ml", "start", {"project_name": "mine"}, None),
        ("dvclive", "Live", {}, None),
        ("swanlab", "init", {"project": "mine", "experiment_name": "esd"}, "Image"),
        ("trackio", "init", {"project": "mine", "name": "esd"}, None),
    ],
)
def test_the_other_trackers_are_called_as_accelerate_calls_them(
    tmp_path, monkeypatch, name, call, said, image
):
    package = stand_in(monkeypatch, name)
    send(OtherLibrary(name, {"project": "mine"}), tmp_path, "esd")
    target = package
    for part in call.split("."):
        target = getattr(target, part)
    target.assert_called_once()
    assert said.items() <= target.call_args.kwargs.items()
    calls = str(package.mock_calls)
    for value in ("0.25", "3.5", "0.0002"):
        assert value in calls
    assert image is None or f"{image}(" in calls


def test_every_tracker_of_accelerate_can_be_named():
    assert set(NAMES) == set(LOGGER_TYPE_TO_CLASS)


class OneAtATime(Library):
    name = module = package = "one"

    def __init__(self):
        super().__init__({})
        self.open, self.most, self.points = 0, 0, []

    def start(self, run):
        self.open += 1
        self.most = max(self.most, self.open)
        return run.name

    def log(self, tracker, values, step):
        self.points.append((tracker, values))

    def log_summary(self, tracker, summary):
        pass

    def finish(self, tracker, *, interrupted):
        self.open -= 1


@pytest.mark.parametrize("single", [True, False])
def test_a_library_of_one_run_at_a_time_gets_them_in_turn(tmp_path, monkeypatch, single):
    library = OneAtATime()
    monkeypatch.setattr(OneAtATime, "one_run_at_a_time", single)
    tracker = AsyncTracker(library)
    for name in ("esd", "uce"):
        tracker.open(a_run(tmp_path, name))
    for name in ("uce", "esd"):
        tracker.log(name, {"images": 1.0})
    started = threading.Event()
    while library.most < (1 if single else 2):
        started.wait(0.01)
    tracker.close()
    assert library.most == (1 if single else 2)
    assert sorted(name for name, _ in library.points) == ["esd", "uce"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wandb:resume=must", "unknown argument of wandb 'resume'"),
        ("wandb:nmae=mine", "did you mean name"),
        ("wandb:mode=onlin", "unknown mode of W&B 'onlin'; did you mean online"),
        ("wandb:project", "--track wandb takes key=value, got 'project'"),
        ("tensorbord", "unknown tracker 'tensorbord'; did you mean tensorboard"),
        ("mlflow:experiment=x", "unknown argument of mlflow 'experiment'; did you mean experiment"),
        ("", "unknown tracker ''"),
        ("comet_ml", "--track comet_ml needs: pip install comet-ml"),
    ],
)
def test_what_cannot_be_tracked_is_one_line(text, said):
    with pytest.raises(ValueError, match=said):
        libraries([text])


def test_trackers_may_be_named_several_times_and_wandb_in_short(monkeypatch):
    monkeypatch.setitem(sys.modules, "aim", ModuleType("aim"))
    sys.modules["aim"].__spec__ = sys.__spec__
    texts = as_track(["mlflow", "aim:repo=a:b"], wandb=True, wandb_args=["project=a", "tags=x;y"])
    assert texts == ["mlflow", "aim:repo=a:b", "wandb", "wandb:project=a", "wandb:tags=x;y"]
    found = {library.name: library._arguments for library in libraries(texts)}
    assert found == {
        "mlflow": {}, "aim": {"repo": "a:b"}, "wandb": {"project": "a", "tags": "x;y"},
    }  # fmt: skip
    assert libraries([]) == as_track([], wandb=False, wandb_args=[]) == []


def test_a_row_becomes_numbers():
    score = Score(value=2.0, n=5, low=1.0, high=3.0, unit="%", higher_is_better=True)
    bare = Score(value=7.0, n=5, low=None, high=None, unit="", higher_is_better=False)
    assert numbers("style", {"ua": score, "fid": bare}, {"ufe": 10, "peak": None}) == {
        "style/ua": 2.0, "style/ua/low": 1.0, "style/ua/high": 3.0, "style/fid": 7.0,
        "style/ufe": 10.0,
    }  # fmt: skip


def test_config_becomes_plain_values():
    assert flat(CONFIG | {"full": True}) == {
        "settings.lr": 2e-4, "settings.anchor": "null", "targets": '["Mosaic", "Cat"]',
        "tier": "smoke", "full": True,
    }  # fmt: skip


def test_a_launcher_is_hidden_from_accelerate_only(monkeypatch):
    for name in ("LOCAL_RANK", "RANK"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("WORLD_SIZE", "2")  # with it, accelerate would wait for a second process
    AsyncTracker(OneAtATime())
    assert PartialState().num_processes == 1
    assert os.environ["WORLD_SIZE"] == "2"
