"""What is known of an eraser beside its numbers."""

from typing import NamedTuple

from unlearncanvas.core.method_config import EraserConfig, read_config
from unlearncanvas.core.registry import find_config, names


class EraserMetadata(NamedTuple):
    """Facts of a registered eraser; empty where it is not registered.

    Attributes:
        family: For example ``fine-tuning``.
        paper: Reference.
        leaves: ``weights``, ``adapter`` or ``hook``.
        what: One line.
    """

    family: str = ""
    paper: str = ""
    leaves: str = ""
    what: str = ""


def about(eraser: str) -> EraserMetadata:
    """Return what the registry says of an eraser."""
    if eraser not in names("erasers"):
        return EraserMetadata()
    said = read_config(EraserConfig, find_config("erasers", eraser)).about
    paper = "" if said.paper is None else said.paper.label
    return EraserMetadata(said.family, paper, said.artifact, said.title)
