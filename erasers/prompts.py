"""A concept as a prompt: templates per kind, settings of the eraser that reads them."""

from dataclasses import dataclass

from unlearncanvas.types import Concept


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
        template: str = getattr(self, f"{concept.kind}_prompt")
        return template.replace("{words}", concept.words)
