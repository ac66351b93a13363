"""A concept as a prompt: the protocol's templates, unless the eraser's settings replace them."""

from dataclasses import dataclass, fields

from unlearncanvas.types import Concept, Task, require_places


@dataclass(frozen=True, kw_only=True)
class PromptTemplates:
    """Templates with the place holder ``{words}``, the concept's bare name; None is the task's.

    Attributes:
        style_prompt: For styles.
        object_prompt: For objects.
        trigger_prompt: For backdoor triggers.
    """

    style_prompt: str | None = None
    object_prompt: str | None = None
    trigger_prompt: str | None = None

    def __post_init__(self) -> None:
        for name in (item.name for item in fields(self)):
            template = getattr(self, name)
            if name.endswith(("_prompt", "_context")) and template is not None:
                require_places(name, template)

    def prompt(self, concept: Concept, task: Task) -> str:
        """Return the prompt for a concept."""
        return self.template(concept, task).replace("{words}", concept.words)

    def template(self, concept: Concept, task: Task) -> str:
        """Return the template for a concept's kind."""
        own: str | None = getattr(self, f"{concept.kind}_prompt")
        found: str = getattr(task.templates, concept.kind) if own is None else own
        return found


@dataclass(frozen=True, kw_only=True)
class ContextTemplates(PromptTemplates):
    """Templates that also place a concept among others, the prompts of a training set.

    Attributes:
        style_context: For a style with a retained object, ``{words}`` and ``{other}``.
        object_context: For an object with a retained style.
    """

    style_context: str | None = None
    object_context: str | None = None

    def contexts(self, concept: Concept, task: Task) -> list[str]:
        """Return prompts for a concept: alone, and with each retained concept of the other kind."""
        name = f"{concept.kind}_context"
        own = getattr(self, name)
        template = getattr(task.templates, name) if own is None else own
        others = [other for other in task.retain if other.kind != concept.kind]
        return [self.prompt(concept, task)] + [
            template.replace("{words}", concept.words).replace("{other}", other.words)
            for other in others
        ]
