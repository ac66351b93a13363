"""TensorBoard: event files in the run's folder; no other module imports it."""

from pathlib import Path
from typing import Any, ClassVar, final

from unlearncanvas.engine.tracked_run import RunSummary, TrackedRun
from unlearncanvas.publish.tracking.library import Library, flat, kept_id


@final
class TensorBoard(Library):
    """Event files under ``<run folder>/tensorboard``; ``tensorboard --logdir runs`` shows them all.

    Shows curves, scores and pictures; TensorBoard stores no files. A resumed benchmark adds an
    event file beside the first.
    """

    name = module = package = "tensorboard"
    keys: ClassVar = ("logging_dir",)

    def start(self, run: TrackedRun) -> Any:
        """Open an event file; hyperparameters are stored once."""
        from accelerate.tracking import TensorBoardTracker

        folder, name = run.folder, self.name
        if "logging_dir" in self._arguments:  # runs of one name lie side by side there
            folder = Path(self._arguments["logging_dir"]) / run.group
            name = f"{run.name.replace('/', '-')}-{kept_id(run.folder, self.name)}"
        resumed = (folder / name).exists()
        tracker = TensorBoardTracker(name, folder)
        tracker.main_process_only = False
        tracker.start()
        if not resumed:
            tracker.store_init_configuration(flat(run.config))
        return tracker

    def log_summary(self, tracker: Any, summary: RunSummary) -> None:
        """Log scores and pictures."""
        import numpy as np
        from PIL import Image

        tracker.log(dict(summary.scores))
        for key, path in summary.pictures.items():
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))[None]  # [1, h, w, c]
            tracker.log_images({key: pixels}, dataformats="NHWC")
