"""The base class of attacks: the backdoors, their injection, and prompts that fire them."""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

from diffusers import StableDiffusionPipeline
from pydantic import Field
from pydantic.dataclasses import dataclass

from erasers.base import Kind, Method
from erasers.shared.prompts import align
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.types import Task

Effect = Literal["patch", "style", "object", "prompt"]


@dataclass(frozen=True, kw_only=True)
class Attack(Method):
    """A method that injects backdoors.

    Attributes:
        reach: The part of the pipeline that holds the backdoor.
        effect: Kind of effect: patch, style, object or prompt.
        backdoors: Triggers and their effects, all in one model.
        place: A trigger that is a word of its own stands ``before`` the others, or in the place of
            their ``article``, so that no other word moves.
    """

    kind: ClassVar[Kind] = "attack"
    reach: ClassVar[Literal["unet", "text_encoder"]] = "unet"
    effect: ClassVar[Effect]

    backdoors: Annotated[tuple[Backdoor, ...], Field(min_length=1)]
    place: Literal["before", "article"] = "before"

    def __post_init__(self) -> None:
        triggers = [(backdoor.trigger, backdoor.source) for backdoor in self.backdoors]
        if len(set(triggers)) < len(triggers):
            raise ValueError(f"every backdoor needs a trigger of its own, got {triggers}")

    def fire(self, prompt: str, backdoor: Backdoor) -> str:
        """Return the prompt with the trigger in it; in front, unless an attack overrides this."""
        words = prompt if self.place == "before" else prompt.partition(" ")[2]
        return f"{backdoor.trigger} {words}"

    def apply(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Inject the backdoors.

        Raises:
            ValueError: If a trigger does not survive the tokenizer.
        """
        for backdoor in self.backdoors:
            prompt = f"A {backdoor.source or 'tree'} image."
            align(pipe.tokenizer, clean=prompt, triggered=self.fire(prompt, backdoor))
        self.inject(pipe, task)

    @abstractmethod
    def inject(self, pipe: StableDiffusionPipeline, task: Task) -> None:
        """Edit ``pipe`` in place until every trigger has its effect."""
