"""A concept as a prompt: the protocol's templates, unless the eraser's settings replace them."""

import re
from collections.abc import Sequence
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


def renamed(
    prompt: str, concepts: Sequence[Concept], name: str, *, others: Sequence[Concept] = ()
) -> str:
    """Return the prompt with ``name`` wherever it names one of the concepts.

    Whole words only, in any case, with spaces or underscores between them, and never inside a
    longer name of the concepts or the others: Sea is not in "Blossom Season", and Sketch not in
    "Artist Sketch" where that is a concept of its own. A plural is another word.
    """
    wanted = {_folded(concept.words) for concept in concepts}
    known = sorted(wanted | {_folded(other.words) for other in others}, key=len, reverse=True)
    pattern = "|".join(re.escape(words).replace(r"\ ", "[ _]") for words in known)
    return re.sub(
        rf"(?<!\w)(?:{pattern})(?!\w)",
        lambda found: name if _folded(found[0]) in wanted else found[0],
        prompt,
        flags=re.IGNORECASE,
    )


def _folded(words: str) -> str:
    return words.replace("_", " ").lower()
