"""The Python API of a run; ``unlearncanvas`` names what is public."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unlearncanvas.core.registry import names
from unlearncanvas.results.run_config import read_options

if TYPE_CHECKING:
    from unlearncanvas.results.schema import Results

COMMAND_ONLY = ("shard", "ray", "track", "wandb", "wandb_args", "dry_run")
"""Options of the command line that this process has no use for."""


def list_erasers() -> list[str]:
    """Return the names of the registered erasers, the baselines ``none`` and ``noise`` too."""
    return names("erasers")


def evaluate(erasers: str | Sequence[str], **options: Any) -> "Results":
    """Run an evaluation and return its results; what an earlier run has finished is kept.

    Args:
        erasers: Registered names, ``package.module:Class`` or YAML files.
        options: Fields of ``unlearncanvas.results.run_config.RunConfig``, e.g. ``protocol="mini"``,
            ``tier="smoke"``, ``settings={"esd.lr": 2e-4}``.

    Raises:
        ValueError: One line, for the first option that cannot be.
    """
    from unlearncanvas.engine.opening import opened
    from unlearncanvas.engine.options import refuse
    from unlearncanvas.engine.registry import evaluation_of

    config = read_options({"erasers": erasers, **options})
    refuse(config, COMMAND_ONLY, "is an option of the command line")
    with opened(evaluation_of(config)) as runner:
        return runner.run()
