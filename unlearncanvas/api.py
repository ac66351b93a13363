"""The Python API of a run; ``unlearncanvas`` names what is public."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unlearncanvas.results.run_config import read_options

if TYPE_CHECKING:
    from unlearncanvas.evaluations.backdoor.results import BackdoorResults
    from unlearncanvas.results.schema import RunResults

COMMAND_ONLY = ("shard", "ray", "track", "wandb", "wandb_args", "dry_run")
"""Options of the command line that this process has no use for."""


def evaluate(erasers: str | Sequence[str], **options: Any) -> "RunResults | BackdoorResults":
    """Run an evaluation and return its results; what an earlier run has finished is kept.

    Args:
        erasers: Registered names, ``package.module:Class`` or YAML files.
        options: Fields of ``unlearncanvas.results.run_config.RunConfig``, e.g. ``protocol="mini"``,
            ``tier="smoke"``, ``settings={"esd.lr": 2e-4}``.

    Raises:
        ValueError: One line, for the first option that cannot be.
    """
    from unlearncanvas.cli.backdoor_bench import make_backdoor_plan
    from unlearncanvas.engine.callbacks import NullCallback
    from unlearncanvas.engine.options import make_plan, refuse
    from unlearncanvas.evaluations.backdoor.exam import BackdoorExam
    from unlearncanvas.evaluations.backdoor.protocol import is_backdoor
    from unlearncanvas.evaluations.grid.exam import Exam

    config = read_options({"erasers": erasers, **options})
    refuse(config, COMMAND_ONLY, "is an option of the command line")
    if is_backdoor(config.protocol):
        return BackdoorExam(plan=make_backdoor_plan(config), callback=NullCallback()).run()
    return Exam(plan=make_plan(config), callback=NullCallback()).run()
