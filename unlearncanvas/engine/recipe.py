"""Recipes: a base model and a sequence of edits."""

from collections.abc import Iterator
from dataclasses import dataclass

from unlearncanvas.core.digests import digest_json
from unlearncanvas.pipelines.methods import ConfiguredEraser
from unlearncanvas.types import Task


@dataclass(frozen=True, kw_only=True)
class Step:
    """One edit of a pipeline: an erasure, an injected backdoor, a fine-tune.

    Attributes:
        method: The eraser or attack.
        task: Its task.
        name: Folder of its artifact among those of the method, ``style-Mosaic-seed0``.
    """

    method: ConfiguredEraser
    task: Task
    name: str

    def __str__(self) -> str:
        return f"{self.method.name} {', '.join(map(str, self.task.targets))}"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model is made from a base model.

    ``()`` is the base model, ``(erase,)`` one erasure, ``(inject, erase)`` the removal of a
    backdoor, ``(erase_1, .., erase_k)`` a sequence. Recipes share the artifacts of
    the steps that they have in common.

    Attributes:
        base: The base model.
        steps: Edits, in their order.
    """

    base: str
    steps: tuple[Step, ...] = ()

    @property
    def last(self) -> Step:
        """The last edit.

        Raises:
            IndexError: If this is the base model.
        """
        return self.steps[-1]

    @property
    def before(self) -> "Recipe":
        """The model that the last edit is applied to."""
        return Recipe(base=self.base, steps=self.steps[:-1])

    def links(self) -> Iterator["Recipe"]:
        """Yield the recipes of every model on the way, this one last; not the base model."""
        for count in range(1, len(self.steps) + 1):
            yield Recipe(base=self.base, steps=self.steps[:count])

    def folder(self, *context: object) -> str:
        """Return the relative folder of the last edit's artifact, ``esd-1a2b3c4d/style-Cat-seed0``.

        Args:
            context: Plain data, what the artifact depends on besides; another context is another
                folder.
        """
        if not self.steps:
            return "base"
        earlier = [[step.method.identity, step.name] for step in self.steps[:-1]]
        above = [earlier] if earlier else []
        key = digest_json([self.last.method.identity, self.base, *context, *above])[:8]
        return f"{self.last.method.name}-{key}/{self.last.name}"

    def __str__(self) -> str:
        return ", ".join(map(str, self.steps)) or "base model"
