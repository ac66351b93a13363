"""What is known of an eraser beside its numbers."""

from typing import NamedTuple

from unlearncanvas.core.config import find_config, import_class, names, read_yaml


class EraserMetadata(NamedTuple):
    """Facts of a registered eraser; empty where nobody registered it.

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
    config = read_yaml(find_config("erasers", eraser))
    cls, said = import_class(config["class"]), config.get("about", {})
    line = (cls.__doc__ or "").strip().splitlines()[0]
    return EraserMetadata(said.get("family", ""), said.get("paper", ""), cls.leaves, line)
