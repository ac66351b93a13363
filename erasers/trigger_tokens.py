"""Triggered prompts: which tokens are the trigger's, and where the others are in the clean one."""

from typing import NamedTuple

from transformers import CLIPTokenizer

from unlearncanvas.types import Task


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
