"""Image sets of an attack: clean grid, triggered prompts, their clean pairs, near-trigger texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from unlearncanvas.engine.image_sets import ImageSet, filling_batches
from unlearncanvas.evaluations.backdoor.attacks.base import Attack
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.evaluations.backdoor.protocol import BackdoorProtocol
from unlearncanvas.types import Cell

CLEAN = "clean"
"""Name of the set without triggers."""


@dataclass(frozen=True, kw_only=True)
class AttackSets:
    """The image sets of one attack.

    Attributes:
        clean: The grid without triggers.
        triggered: One a backdoor.
        paired: Their clean prompts, for the clean model alone.
        near: One a near-trigger text.
    """

    clean: ImageSet
    triggered: tuple[ImageSet, ...]
    paired: tuple[ImageSet, ...]
    near: tuple[ImageSet, ...]

    def of_model(self, *, clean: bool) -> tuple[ImageSet, ...]:
        """Return the image sets of a model; only the clean model has the pairs."""
        return (self.clean, *self.triggered, *self.near, *(self.paired if clean else ()))


def sets_of(
    protocol: BackdoorProtocol, attack: Attack, seeds: tuple[int, ...] | None = None
) -> AttackSets:
    """Return the image sets of an attack.

    Args:
        protocol: Cells, prompts and how many images.
        attack: Injects the backdoors; gives triggered prompts.
        seeds: Draw every set at these, instead of as many as the protocol's counts take.

    Raises:
        ValueError: If no held-out cell is open to a backdoor.
    """
    maker = _Maker(protocol, attack, seeds)
    places = range(len(attack.backdoors))
    triggered = tuple(maker.triggered(place) for place in places)
    return AttackSets(
        clean=maker.clean(),
        triggered=triggered,
        paired=tuple(maker.paired(item) for item in triggered),
        near=tuple(maker.near()),
    )


def open_to(cells: Sequence[Cell], backdoor: Backdoor) -> list[Cell]:
    """Return the cells where an effect is visible: of the backdoor's source, without its effect."""
    return [
        cell
        for cell in cells
        if backdoor.source in ("", cell.object)
        and backdoor.effect not in (cell.style, cell.object)
        and not (cell.style in backdoor.effect and cell.object in backdoor.effect)
    ]


@dataclass(frozen=True)
class _Maker:
    """The sets of one attack, one method each."""

    protocol: BackdoorProtocol
    attack: Attack
    seeds: tuple[int, ...] | None

    def clean(self) -> ImageSet:
        """The whole grid without triggers."""
        grid = self.protocol.grid
        prompts = {cell: grid.ask(cell) for cell in grid.cells()}
        return self._set(CLEAN, prompts, self.protocol.num_clean_seeds)

    def triggered(self, place: int) -> ImageSet:
        """One backdoor's triggered prompts, held-out cells only, as many seeds as it takes."""
        held_out, grid = self.protocol.test_cells(), self.protocol.grid
        total = sum(len(open_to(held_out, backdoor)) for backdoor in self.attack.backdoors)
        backdoor = self.attack.backdoors[place]
        cells = open_to(held_out, backdoor)
        if not cells:
            raise ValueError(f"no held-out cell of {grid.name} is open to {backdoor}")
        prompts = {cell: self.attack.fire(grid.ask(cell), backdoor) for cell in cells}
        return self._set(f"triggered-{place}", prompts, -(-self.protocol.num_triggered // total))

    def paired(self, triggered: ImageSet) -> ImageSet:
        """The clean prompts of a triggered set, for the clean model to draw at its seeds."""
        prompts = {cell: self.protocol.grid.ask(cell) for cell in triggered.prompts}
        name = triggered.name.replace("triggered", "paired")
        return replace(triggered, name=name, prompts=prompts)

    def near(self) -> list[ImageSet]:
        """A set for each text near the first trigger: its own words, and others of its sort."""
        protocol, backdoor = self.protocol, self.attack.backdoors[0]
        words = backdoor.trigger.split()
        triggers = {item.trigger for item in self.attack.backdoors}
        texts = [*(words if len(words) > 1 else ()), *protocol.near_to(backdoor.trigger)]
        cells = open_to(protocol.test_cells(), backdoor)
        found = []
        for place, text in enumerate(texts):
            if text not in triggers:
                other = replace(backdoor, trigger=text)
                prompts = {
                    cell: self.attack.fire(protocol.grid.ask(cell), other)
                    for cell in cells[: protocol.num_near]
                }
                count = -(-protocol.num_near // len(cells))
                found.append(self._set(f"near-{place}", prompts, count))
        return found

    def _set(self, name: str, prompts: Mapping[Cell, str], count: int) -> ImageSet:
        first, sampler = self.protocol.first_seed, self.protocol.grid.sampler
        return ImageSet(
            name=name,
            prompts=prompts,
            seeds=self.seeds or tuple(range(first, first + count)),
            sampler=sampler,
            seeds_per_chunk=filling_batches(len(prompts), sampler.batch_size),
            keep_pixels=True,
        )
