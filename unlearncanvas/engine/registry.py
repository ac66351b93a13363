"""Find an evaluation by the ``kind`` of a protocol; the folder is the registry."""

from importlib import import_module
from types import ModuleType

from unlearncanvas.engine.evaluation import Evaluation
from unlearncanvas.engine.protocols import EVALUATIONS, kind_of, protocol_class
from unlearncanvas.results.export import Table
from unlearncanvas.results.run_config import RunConfig
from unlearncanvas.results.schema import Results


def evaluation_of(config: RunConfig) -> Evaluation:
    """Return the evaluation that the options of a run specify.

    Raises:
        ValueError: One line, for the first option that cannot be.
    """
    evaluation: Evaluation = _module(kind_of(config.protocol), "build").build(config)
    return evaluation


def tables_of(results: Results) -> list[Table]:
    """Return the tables of a run, made by its evaluation.

    Raises:
        ValueError: If the evaluation is not installed here.
    """
    return list(_module(results.evaluation, "tables").tables(results))


def _module(kind: str, name: str) -> ModuleType:
    """A module of an evaluation's package; a kind with a dot is one from outside."""
    protocol_class(kind)  # refuses what is no evaluation in one line
    package = kind if "." in kind else f"{EVALUATIONS}.{kind}"
    return import_module(f"{package}.{name}")
