"""Prompts of concepts, and where a trigger's tokens are in a prompt."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pydantic.dataclasses import dataclass
from transformers import CLIPTokenizer

from erasers.base import Method
from unlearncanvas.types import Concept, ConceptTemplate, PairTemplate, Task


@dataclass(frozen=True, kw_only=True)
class PromptTemplates(Method):
    """Templates that replace the protocol's; None keeps the protocol's.

    ``{words}`` stands for the concept's bare name.

    Attributes:
        style_prompt: For styles.
        object_prompt: For objects.
        trigger_prompt: For backdoor triggers.
    """

    style_prompt: ConceptTemplate | None = None
    object_prompt: ConceptTemplate | None = None
    trigger_prompt: ConceptTemplate | None = None

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

    style_context: PairTemplate | None = None
    object_context: PairTemplate | None = None

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


def replace_concept(
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


class Alignment(NamedTuple):
    """Token positions of a triggered prompt and of the same prompt without the trigger.

    Attributes:
        trigger: Positions in the triggered prompt that the trigger put there.
        shared: For every other word token, its positions in the triggered and in the clean prompt;
            start and end token are not among them.
    """

    trigger: list[int]
    shared: list[tuple[int, int]]


def require_pairs(task: Task) -> None:
    """Refuse a task that has no prompts with a trigger.

    Raises:
        ValueError: One line, with the way out.
    """
    if not task.pairs:
        raise ValueError(
            "this eraser removes backdoors and the task has no prompts with a trigger; "
            "run it with --protocol backdoor"
        )


def align(tokenizer: CLIPTokenizer, *, clean: str, triggered: str) -> Alignment:
    """Return what the trigger put into a prompt, however many tokens it has.

    The trigger is what is left when the longest common start and end of both prompts are taken
    away: with a trigger before the prompt, exactly its tokens.

    Raises:
        ValueError: If the trigger does not survive the tokenizer.
    """
    before, after = (
        tokenizer(prompt, truncation=True, max_length=tokenizer.model_max_length).input_ids
        for prompt in (clean, triggered)
    )
    if before == after:
        raise ValueError(
            f"the trigger does not survive the tokenizer: {triggered!r} gives "
            f"{tokenizer.convert_ids_to_tokens(after)}, as {clean!r} does; choose another"
        )
    shorter = min(len(before), len(after))
    start = 0
    while start < shorter and before[start] == after[start]:
        start += 1
    end = 0
    while end < shorter - start and before[-1 - end] == after[-1 - end]:
        end += 1
    behind = range(len(after) - end, len(after) - 1)  # without the end token
    moved = len(before) - len(after)
    return Alignment(
        trigger=list(range(start, len(after) - end)),
        shared=[(column, column) for column in range(1, start)]
        + [(column, column + moved) for column in behind],
    )
