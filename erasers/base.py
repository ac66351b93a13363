"""The interfaces of methods: what every edit of a pipeline has, and what an eraser adds."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from diffusers import StableDiffusionPipeline
from pydantic import ConfigDict
from torch import Tensor

from unlearncanvas.types import ImageRequest, Task

Leaves = Literal["weights", "adapter", "hook"]
Kind = Literal["eraser", "attack"]


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """An edit of a pipeline that can be stored and restored; its fields are its hyperparameters.

    Attributes:
        kind: Whether it is an ``eraser`` or an ``attack``.
        leaves: What the method leaves behind: changed ``weights``, an ``adapter`` (added tensors),
            or a ``hook`` that acts while images are generated.
        needs: What of the task it reads besides the target: ``anchor``, ``retain``, ``images``.
        version: Raised when the method's numbers change, and only then; with the name of the
            configuration and the settings it is the key of everything that the method made.
        per_target: False for the rows that are the same whatever the target is (``none``,
            ``noise``); their images are generated once.
    """

    kind: ClassVar[Kind]
    leaves: ClassVar[Leaves] = "weights"
    needs: ClassVar[frozenset[str]] = frozenset()
    version: ClassVar[int] = 1
    per_target: ClassVar[bool] = True
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False, extra="forbid")

    @abstractmethod
    def apply(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit ``pipe`` in place.

        Draw randomness only from ``torch.Generator(pipe.device).manual_seed(task.seed)``; leave the
        global generators, gradients, ``requires_grad``, train/eval mode and dtype as they were.
        """

    def images(self, task: Task) -> Mapping[str, ImageRequest]:
        """Return requests for the images that ``apply`` reads from ``task.images``, by name."""
        return {}

    def planned_ufe(self) -> int | None:
        """Return the UNet forward equivalents that ``apply`` should take; None if unknown."""
        return None

    def planned_ufe_std(self) -> float:
        """Return the standard deviation of that over seeds; 0 where no seed changes it."""
        return 0.0

    def restore(
        self, pipe: StableDiffusionPipeline, task: Task, tensors: Mapping[str, Tensor]
    ) -> None:
        """Load a stored artifact into a base pipeline; ``tensors`` are keyed component.parameter.

        Adapters and hooks override it. Changed weights are loaded as here without the class, so
        that an artifact of weights needs no code.
        """
        load_tensors(pipe, tensors)


class Eraser(Method):
    """A method that makes a pipeline forget."""

    kind: ClassVar[Kind] = "eraser"

    @abstractmethod
    def erase(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit ``pipe`` in place until it has forgotten ``task.targets``; as ``apply`` says."""

    def apply(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Erase the targets."""
        self.erase(pipe, task)


@torch.no_grad()
def load_tensors(pipe: StableDiffusionPipeline, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors onto the pipeline's own, all of them or none.

    Raises:
        ValueError: If a name or a shape is not one of the pipeline's.
    """
    own = {
        f"{component}.{name}": tensor
        for component in ("unet", "text_encoder", "vae")
        for name, tensor in getattr(pipe, component).state_dict().items()
    }
    for name, tensor in tensors.items():
        if name not in own:
            raise ValueError(f"the pipeline has no tensor {name!r}; was it made for another model?")
        if own[name].shape != tensor.shape:
            raise ValueError(
                f"{name} must have shape {tuple(own[name].shape)}, got {tuple(tensor.shape)}"
            )
    for name, tensor in tensors.items():
        own[name].copy_(tensor)
