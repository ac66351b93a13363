"""Shards: the part of the work of a process, by ``--shard`` or by its rank under a launcher."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One of several equal parts.

    Attributes:
        index: Which, from 0.
        count: How many there are.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.index < self.count:
            raise ValueError(
                f"shards are counted from 0: expected 0/{max(1, self.count)} to "
                f"{max(1, self.count) - 1}/{max(1, self.count)}, got {self.index}/{self.count}"
            )

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """Return this shard, a contiguous range, so that few shards need the same artifact."""
        first, last = (len(items) * (self.index + step) // self.count for step in (0, 1))
        return items[first:last]

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Return the part that ``2/8`` names, the third of eight.

        Raises:
            ValueError: If the text is not of that form.
        """
        index, slash, count = text.partition("/")
        if not slash or not index.isdecimal() or not count.isdecimal():
            raise ValueError(f"--shard takes index/count, as in 0/8, got {text!r}")
        return cls(index=int(index), count=int(count))

    @classmethod
    def of_launcher(cls, variables: Mapping[str, str] = os.environ) -> "Shard":
        """Return the shard of a process of ``accelerate launch`` or torchrun; else the whole.

        No process group is made: the processes meet in the run folder only.
        """
        return cls(index=int(variables.get("RANK", 0)), count=int(variables.get("WORLD_SIZE", 1)))
