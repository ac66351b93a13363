"""A concept as a prompt: templates per kind, settings of the eraser that reads them."""

from dataclasses import dataclass

from unlearncanvas.types import Concept, Task


@dataclass(frozen=True, kw_only=True)
class PromptTemplates:
    """Templates with the place holder ``{words}``, the concept's bare name.

    Attributes:
        style_prompt: For styles.
        object_prompt: For objects.
        trigger_prompt: For backdoor triggers.
    """

    style_prompt: str = "{words} style"
    object_prompt: str = "{words}"
    trigger_prompt: str = "{words}"

    def __post_init__(self) -> None:
        for kind in ("style", "object", "trigger"):
            template = getattr(self, f"{kind}_prompt")
            if "{words}" not in template:
                raise ValueError(f"{kind}_prompt must contain {{words}}, got {template!r}")

    def prompt(self, concept: Concept) -> str:
        """Return the prompt for a concept."""
        return self.template(concept).replace("{words}", concept.words)

    def template(self, concept: Concept) -> str:
        """Return the template for a concept's kind."""
        template: str = getattr(self, f"{concept.kind}_prompt")
        return template


@dataclass(frozen=True, kw_only=True)
class ContextTemplates(PromptTemplates):
    """Templates that also place a concept among others, the prompts of a training set.

    Attributes:
        style_context: For a style with a retained object, ``{words}`` and ``{other}``.
        object_context: For an object with a retained style.
    """

    style_context: str = "{other} in {words} style"
    object_context: str = "{words} in {other} style"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("style_context", "object_context"):
            template = getattr(self, name)
            if "{words}" not in template or "{other}" not in template:
                raise ValueError(f"{name} must contain {{words}} and {{other}}, got {template!r}")

    def contexts(self, concept: Concept, task: Task) -> list[str]:
        """Return prompts for a concept: alone, and with each retained concept of the other kind."""
        template = self.style_context if concept.kind == "style" else self.object_context
        others = [other for other in task.retain if other.kind != concept.kind]
        return [self.prompt(concept)] + [
            template.replace("{words}", concept.words).replace("{other}", other.words)
            for other in others
        ]
