"""Weights & Biases; nothing else imports it."""

import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from unlearncanvas.publish.tracking.tracker import Outcome, Run, Tracker

_log = logging.getLogger(__name__)
PROJECT = "unlearncanvas"
SECONDS = 30
"""To reach the server when a run starts."""
KEPT = "wandb-id"
ARGUMENTS = ("project", "entity", "group", "name", "job_type", "mode", "notes", "tags")
"""Of ``wandb.init``, what a user may choose; the others are this module's."""
MODES = ("online", "offline", "disabled")


@final
class WandbTracker(Tracker):
    """One W&B run an eraser, grouped by protocol.

    Works offline (``WANDB_MODE=offline``, then ``wandb sync``); without a login it is offline, too,
    and says so. A benchmark that is resumed goes on in the same W&B run: its id is kept in the
    run's folder.
    """

    def __init__(self, **arguments: str) -> None:
        """Keep the user's ``ARGUMENTS``; ``name`` goes before the name of every run."""
        self._arguments: dict[str, Any] = {"project": PROJECT, **arguments}
        if "tags" in arguments:
            self._arguments["tags"] = arguments["tags"].split(";")
        self._runs: dict[str, Any] = {}

    def open(self, run: Run) -> None:
        """Start or resume the W&B run."""
        run.folder.mkdir(parents=True, exist_ok=True)
        # W&B stages what it uploads in the home folder, which a cluster may throw away
        os.environ.setdefault("WANDB_DATA_DIR", str(run.folder))
        import wandb

        chosen = {"group": run.group, **self._arguments}
        if "mode" not in chosen:
            chosen["mode"] = _mode(wandb)
        chosen["name"] = " ".join([*filter(None, [chosen.get("name")]), run.name])
        self._runs[run.name] = wandb.init(
            config=dict(run.config),
            dir=str(run.folder),
            id=_kept_id(run.folder),
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(init_timeout=SECONDS, silent=True, console="off"),
            **chosen,
        )

    def log(self, name: str, values: Mapping[str, float]) -> None:
        """Log one point."""
        self._runs[name].log(dict(values))

    def finish(self, name: str, outcome: Outcome) -> None:
        """Log scores, pictures and files, and end the W&B run."""
        import wandb

        run = self._runs.pop(name)
        pictures = {key: wandb.Image(str(path)) for key, path in outcome.pictures.items()}
        run.log({**outcome.scores, **pictures})
        run.summary.update(dict(outcome.scores))
        artifact = wandb.Artifact(f"results-{run.id}", type="results")
        for path in outcome.files:
            artifact.add_file(str(path), name=f"{path.parent.name}/{path.name}")
        run.log_artifact(artifact)
        run.finish()


def _mode(wandb: Any) -> str | None:
    """What the user says; offline if nobody is logged in, since wandb would stop and ask."""
    if os.environ.get("WANDB_MODE") or wandb.api.api_key:
        return None
    _log.warning("W&B: nobody is logged in; keeping it offline, `wandb sync` sends it later")
    return "offline"


def _kept_id(folder: Path) -> str:
    """The id that the folder's run had before, or a fresh one, kept."""
    path = folder / KEPT
    if not path.exists():
        path.write_text(secrets.token_hex(4) + "\n")
    return path.read_text(encoding="utf-8").strip()
