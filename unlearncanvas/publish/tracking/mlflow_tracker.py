"""MLflow; no other module imports it."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, ClassVar, final

from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun
from unlearncanvas.publish.tracking.library import PROJECT, Library, flat, kept_id

TAG = "unlearncanvas.run"
"""Tag that holds the id kept in a run's folder: the run that has it is resumed."""


@final
class MLflow(Library):
    """One MLflow run for each tracked run, where ``MLFLOW_TRACKING_URI`` points.

    MLflow keeps its active run per thread, so that several runs can be open, each on its own.
    """

    name = module = package = "mlflow"
    keys: ClassVar = ("experiment_name", "run_name", "description", "logging_dir")

    def start(self, run: TrackedRun) -> Any:
        """Start or resume the MLflow run; parameters are stored once, MLflow never changes them."""
        import mlflow
        from accelerate.tracking import MLflowTracker

        given = {"experiment_name": PROJECT, **self._arguments}
        tracker = MLflowTracker(**{**given, "run_name": self._title("run_name", run)})
        tracker.main_process_only = False
        mark = kept_id(run.folder, self.name)
        experiment = mlflow.get_experiment_by_name(tracker.experiment_name)
        known = (
            []
            if experiment is None
            else mlflow.search_runs(
                [experiment.experiment_id], f"tags.`{TAG}` = '{mark}'", output_format="list"
            )
        )
        if known:
            tracker.run_id = known[0].info.run_id
        tracker.start()
        mlflow.set_tag(TAG, mark)
        if not known:
            tracker.store_init_configuration(flat(run.config))
        return tracker

    def log(self, tracker: Any, values: Mapping[str, float], step: int | None) -> None:
        """Log one point."""
        tracker.log({_metric(name): value for name, value in values.items()}, step=step)

    def log_summary(self, tracker: Any, summary: RunSummary) -> None:
        """Log scores as metrics, pictures and files as artifacts."""
        self.log(tracker, summary.scores, None)
        for name, path in summary.pictures.items():
            folder = PurePath("pictures", name).parent
            tracker.log_artifact(str(path), artifact_path=folder.as_posix())
        for path in summary.files:
            tracker.log_artifact(str(path), artifact_path=f"results/{path.parent.name}")

    def finish(self, tracker: Any, *, interrupted: bool) -> None:
        """End the MLflow run, as killed if the benchmark was interrupted."""
        import mlflow

        del tracker  # the active run of this thread
        mlflow.end_run("KILLED" if interrupted else "FINISHED")


def _metric(name: str) -> str:
    """Return a name that MLflow takes: no ``a/b`` beside ``a/b/c``, a file and a folder of it."""
    group, slash, rest = name.partition("/")
    return re.sub(r"[^\w\-. :/]", "_", group + slash + rest.replace("/", "."))
