"""No erasure: the base model, the floor of UA and the ceiling of everything that must survive."""

from typing import ClassVar, final

from diffusers import StableDiffusionPipeline
from pydantic.dataclasses import dataclass

from erasers.base import Eraser
from unlearncanvas.types import Task


@final
@dataclass(frozen=True, kw_only=True)
class NoErasure(Eraser):
    """Change nothing."""

    per_target: ClassVar[bool] = False

    def planned_ufe(self) -> int:
        """Return 0: no image is generated and nothing is trained."""
        return 0

    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Leave ``pipe`` as it is."""
