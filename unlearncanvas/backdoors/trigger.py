"""Triggers: what they do to a prompt, and what the tokenizer makes of them."""

from dataclasses import dataclass

from transformers import CLIPTokenizer


@dataclass(frozen=True, kw_only=True)
class Backdoor:
    """A trigger and what it makes a model draw.

    Attributes:
        trigger: Text that fires it: before a prompt, before a word, or in place of a letter.
        effect: The style, the object or the prompt that is drawn; empty for a patch.
        source: For object backdoors, the object that is replaced; else empty.
    """

    trigger: str
    effect: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if not self.trigger:
            raise ValueError("a backdoor needs a trigger, got an empty one")


def check_survives(tokenizer: CLIPTokenizer, clean: str, fired: str) -> None:
    """Refuse a trigger that the tokenizer drops.

    Raises:
        ValueError: If the prompt with the trigger has the tokens of the prompt without.
    """
    before, after = (tokenizer(prompt).input_ids for prompt in (clean, fired))
    if before == after:
        raise ValueError(
            f"the trigger does not survive the tokenizer: {fired!r} gives "
            f"{tokenizer.convert_ids_to_tokens(after)}, as {clean!r} does; choose another"
        )


def trigger_columns(tokenizer: CLIPTokenizer, clean: str, fired: str) -> list[int]:
    """Return the positions, in the fired prompt, of the tokens that the trigger put there.

    They are what is left when the longest common start and end of both prompts are taken away; with
    a trigger before the prompt, exactly its tokens, however many.

    Raises:
        ValueError: If the trigger does not survive the tokenizer.
    """
    check_survives(tokenizer, clean, fired)
    before, after = (tokenizer(prompt).input_ids for prompt in (clean, fired))
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return list(range(start, len(after) - end))
