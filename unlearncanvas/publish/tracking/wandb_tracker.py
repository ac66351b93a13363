"""Weights & Biases; no other module imports ``wandb``."""

import logging
import os
from collections.abc import Mapping
from typing import Any, ClassVar, final

from unlearncanvas.core.registry import choose
from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun
from unlearncanvas.publish.tracking.library import PROJECT, Library, kept_id

_log = logging.getLogger(__name__)
SECONDS = 30
"""To reach the server when a run starts."""
MODES = ("online", "offline", "disabled")


@final
class Wandb(Library):
    """One W&B run for each tracked run, grouped by protocol.

    Works offline (``WANDB_MODE=offline``, then ``wandb sync``), and is offline without a login. A
    resumed benchmark resumes its W&B run by the id kept in the run's folder.
    """

    name = module = package = "wandb"
    keys: ClassVar = (
        "project", "entity", "group", "name", "job_type", "mode", "notes", "tags",
    )  # fmt: skip

    def __init__(self, arguments: Mapping[str, str]) -> None:
        """Keep the arguments of ``wandb.init``; ``name`` is a prefix, ``tags`` are ``a;b``."""
        super().__init__(arguments)
        if "mode" in arguments:
            choose("mode of W&B", arguments["mode"], MODES)

    def start(self, run: TrackedRun) -> Any:
        """Start or resume the W&B run.

        The config goes to ``wandb.init``: accelerate stores it in ``wandb.config``, which belongs
        to the first of several open runs.
        """
        run_id = kept_id(run.folder, self.name)
        # W&B stages what it uploads in the home folder, which a cluster may throw away
        os.environ.setdefault("WANDB_DATA_DIR", str(run.folder))
        import wandb
        from accelerate.tracking import WandBTracker

        chosen: dict[str, Any] = {"project": PROJECT, "group": run.group, **self._arguments}
        if "tags" in chosen:
            chosen["tags"] = chosen["tags"].split(";")
        if "mode" not in chosen:
            chosen["mode"] = _mode(wandb)
        tracker = WandBTracker(
            chosen.pop("project"),
            **{**chosen, "name": self._title("name", run)},
            config=dict(run.config),
            dir=str(run.folder),
            id=run_id,
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(init_timeout=SECONDS, silent=True, console="off"),
        )
        tracker.start()
        return tracker

    def log(self, tracker: Any, values: Mapping[str, float], step: int | None) -> None:
        """Log one point; W&B's own step must rise over the whole run, so ours is a value."""
        tracker.log({**values, **({} if step is None else {"erase_step": float(step)})})

    def log_summary(self, tracker: Any, summary: RunSummary) -> None:
        """Log scores and pictures as the last point, the files as an artifact."""
        import wandb

        run = tracker.tracker
        pictures = {key: wandb.Image(str(path)) for key, path in summary.pictures.items()}
        tracker.log({**summary.scores, **pictures})
        run.summary.update(dict(summary.scores))
        artifact = wandb.Artifact(f"results-{run.id}", type="results")
        for path in summary.files:
            artifact.add_file(str(path), name=f"{path.parent.name}/{path.name}")
        run.log_artifact(artifact)

    def finish(self, tracker: Any, *, interrupted: bool) -> None:
        """End the W&B run, as failed if the benchmark was interrupted."""
        tracker.tracker.finish(exit_code=int(interrupted))


def _mode(wandb: Any) -> str | None:
    """Return WANDB_MODE, which wandb itself reads once per process; offline without a login."""
    if "WANDB_MODE" in os.environ or wandb.api.api_key:
        return os.environ.get("WANDB_MODE")
    _log.warning("W&B: not logged in; the run stays offline, `wandb sync` sends it later")
    return "offline"
