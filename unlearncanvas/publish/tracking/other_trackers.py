"""The other trackers that accelerate knows; untested, since no test installs their packages."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, final

from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun
from unlearncanvas.publish.tracking.library import PROJECT, Library, flat


class Other(NamedTuple):
    """How accelerate's class of a library takes what all have.

    Attributes:
        package: What ``pip install`` calls it.
        project: The argument that names a project, if there is one.
        run: The argument that names a run, if there is one.
        picture: Gives what its ``log_images`` takes for an image; None where there is no such
            method.
    """

    package: str
    project: str | None
    run: str | None
    picture: Callable[[Any], Any] | None = None


OTHERS = {
    "aim": Other("aim", "experiment", "run_name", lambda image: image),
    "clearml": Other("clearml", "run_name", "task_name", lambda image: image),
    "comet_ml": Other("comet-ml", "run_name", None),
    "dvclive": Other("dvclive", None, None),
    "swanlab": Other("swanlab", "run_name", "experiment_name", lambda image: [image]),
    "trackio": Other("trackio", "run_name", "name"),
}


@final
class OtherLibrary(Library):
    """Config, curves, scores, and pictures where the library has them; through the interface alone.

    Most of these libraries hold one open run per process: a run is sent when the one before has
    ended.
    """

    one_run_at_a_time: ClassVar = True

    def __init__(self, name: str, arguments: Mapping[str, str]) -> None:
        super().__init__(arguments)
        self.name = self.module = name
        self.package = OTHERS[name].package

    def start(self, run: TrackedRun) -> Any:
        """Start the run; arguments go to accelerate's class as they are, ``project`` aside."""
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        other, given = OTHERS[self.name], {"project": PROJECT, **self._arguments}
        named = {other.project: given.pop("project"), other.run: run.name}
        if self.name == "dvclive":  # a run is a folder
            named["dir"] = str(run.folder / "dvclive")
        known = {key: value for key, value in named.items() if key is not None}
        tracker = LOGGER_TYPE_TO_CLASS[self.name](**{**known, **given})
        tracker.main_process_only = False
        tracker.start()
        tracker.store_init_configuration(flat({"run": run.name, **run.config}))
        return tracker

    def log_summary(self, tracker: Any, summary: RunSummary) -> None:
        """Log scores and pictures."""
        from PIL import Image

        tracker.log(dict(summary.scores))
        picture = OTHERS[self.name].picture
        if picture is not None:
            for key, path in summary.pictures.items():
                with Image.open(path) as image:
                    tracker.log_images({key: picture(image.convert("RGB"))})
