"""Metadata under ``about`` in a config: title, paper, code, needs, expected work."""

import logging
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from unlearncanvas.core.bibtex import Paper, read_entry
from unlearncanvas.core.fields import Frozen

Need = Literal["anchor", "retain", "images", "pairs", "clean model"]
ArtifactKind = Literal["weights", "adapter", "hook"]
_RENAMED = {"licence": "license"}


class ExpectedWork(Frozen):
    """UNet forward equivalents of one erasure.

    Attributes:
        mean: Expected number.
        std: Standard deviation over seeds; 0 where no seed changes it.
    """

    mean: int = Field(ge=0)
    std: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    def __str__(self) -> str:
        return f"about {self.mean:,} ± {self.std:,.0f}" if self.std else f"{self.mean:,}"


def _number_or_mapping(value: Any) -> Any:
    return value if isinstance(value, dict | ExpectedWork) else {"mean": value}


def _entry(value: Any) -> Any:
    return read_entry(value) if isinstance(value, str) else value


Bibtex = Annotated[Paper, BeforeValidator(_entry)]
Work = Annotated[ExpectedWork, BeforeValidator(_number_or_mapping)]


class Metadata(Frozen):
    """Facts that the code does not compute with; ``about`` in the YAML file.

    Attributes:
        title: What it is, in one line.
        paper: The paper's BibTeX entry, under the key ``bibtex``.
    """

    title: str = ""
    paper: Bibtex | None = Field(default=None, validation_alias="bibtex")


class MethodMetadata(Metadata):
    """Facts of an eraser or an attack.

    Attributes:
        family: For example ``fine-tuning``.
        code: The authors' repository on GitHub, ``owner/name``.
        commit: The commit of it that the method was compared with.
        license: Of that code.
        needs: What of the task the method reads besides the target.
        artifact: What the method leaves.
        ufe: Expected work by preset.
    """

    family: str = ""
    code: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    commit: str | None = Field(default=None, pattern="^[0-9a-f]{7,40}$")
    license: str | None = None
    needs: frozenset[Need] = frozenset()
    artifact: ArtifactKind = "weights"
    ufe: dict[str, Work] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _with_new_names(cls, data: Any) -> Any:
        """Read the keys of versions before 0.7, with a notice; the next version refuses them."""
        if not isinstance(data, dict):
            return data
        named = dict(data)
        for old, new in _RENAMED.items():
            if old in named:
                logging.getLogger(__name__).warning("about: %s is now spelled %s", old, new)
                named.setdefault(new, named.pop(old))
        if "paper" in named:
            logging.getLogger(__name__).warning(
                "about: paper is not read any more; give the paper's entry under bibtex"
            )
            del named["paper"]
        return named


class MetricMetadata(Metadata):
    """Facts of a metric.

    Attributes:
        column: Heading of its column in tables; empty: its name.
        unit: Unit of the value.
        higher_is_better: Direction.
    """

    column: str = ""
    unit: str = "%"
    higher_is_better: bool = True
