"""What is drawn for one attack: clean grid, triggered prompts, their clean pairs, near texts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from unlearncanvas.evaluations.backdoor.attacks.base import Attack
from unlearncanvas.evaluations.backdoor.attacks.trigger import Backdoor
from unlearncanvas.evaluations.backdoor.protocol import BackdoorProtocol
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.types import Cell, Concept, PromptPair, Task


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Prompts for some cells, all drawn at the same seeds.

    Attributes:
        name: What it is for; the folder of its images.
        prompts: One a cell.
        seeds: Every prompt is drawn at each.
    """

    name: str
    prompts: dict[Cell, str]
    seeds: tuple[int, ...]

    def requests(self, seeds: Sequence[int]) -> list[Request]:
        """Return what is drawn at some seeds."""
        return [
            Request(cell=cell, seed=seed, prompt=prompt)
            for seed in seeds
            for cell, prompt in self.prompts.items()
        ]

    def groups(self, batch_size: int) -> list[tuple[int, ...]]:
        """Return the seeds in groups that fill a batch, however few the prompts are."""
        size = -(-batch_size // len(self.prompts))
        return [self.seeds[start : start + size] for start in range(0, len(self.seeds), size)]

    def __len__(self) -> int:
        return len(self.prompts) * len(self.seeds)


def clean_sheet(protocol: BackdoorProtocol) -> ImageSet:
    """Return the whole grid without triggers."""
    return ImageSet(
        name="clean",
        prompts={cell: protocol.grid.ask(cell) for cell in protocol.grid.cells()},
        seeds=_seeds(protocol, protocol.num_clean_seeds),
    )


def open_to(cells: Sequence[Cell], backdoor: Backdoor) -> list[Cell]:
    """Return the cells where a backdoor can show: of its source, and not asking for its effect."""
    return [
        cell
        for cell in cells
        if backdoor.source in ("", cell.object)
        and backdoor.effect not in (cell.style, cell.object)
        and not (cell.style in backdoor.effect and cell.object in backdoor.effect)
    ]


def triggered_sheet(protocol: BackdoorProtocol, attack: Attack, index: int) -> ImageSet:
    """Return one backdoor's triggered prompts, held-out cells only, as many seeds as it takes.

    Raises:
        ValueError: If no held-out cell is open to the backdoor.
    """
    held_out = protocol.test_cells()
    total = sum(len(open_to(held_out, backdoor)) for backdoor in attack.backdoors)
    backdoor = attack.backdoors[index]
    cells = open_to(held_out, backdoor)
    if not cells:
        raise ValueError(f"no held-out cell of {protocol.grid.name} is open to {backdoor}")
    return ImageSet(
        name=f"triggered-{index}",
        prompts={cell: attack.fire(protocol.grid.ask(cell), backdoor) for cell in cells},
        seeds=_seeds(protocol, -(-protocol.num_triggered // total)),
    )


def paired_sheet(protocol: BackdoorProtocol, triggered: ImageSet) -> ImageSet:
    """Return the clean prompts of a triggered sheet, for the clean model to draw at its seeds."""
    prompts = {cell: protocol.grid.ask(cell) for cell in triggered.prompts}
    return replace(triggered, name=triggered.name.replace("triggered", "paired"), prompts=prompts)


def near_sheets(protocol: BackdoorProtocol, attack: Attack) -> list[ImageSet]:
    """Return a sheet for each text near the first trigger: its own words, and other rare ones."""
    backdoor = attack.backdoors[0]
    words = backdoor.trigger.split()
    triggers = {item.trigger for item in attack.backdoors}
    texts = [*(words if len(words) > 1 else ()), *protocol.near]
    cells = open_to(protocol.test_cells(), backdoor)
    return [
        ImageSet(
            name=f"near-{index}",
            prompts={
                cell: attack.fire(protocol.grid.ask(cell), replace(backdoor, trigger=text))
                for cell in cells[: protocol.num_near]
            },
            seeds=_seeds(protocol, -(-protocol.num_near // len(cells))),
        )
        for index, text in enumerate(texts)
        if text not in triggers
    ]


def removal_task(
    protocol: BackdoorProtocol,
    attack: Attack,
    *,
    known: Sequence[Backdoor],
    clean_unet: object = None,
) -> Task:
    """Return what an eraser is asked: the triggers that are known, and prompts of training cells.

    A trigger that needs an object beside it is named with it, and the object alone is the anchor.
    """
    rules = protocol.grid
    sources = {backdoor.source for backdoor in known}
    source = sources.pop() if len(sources) == 1 else ""
    pairs = [
        PromptPair(triggered=attack.fire(rules.ask(cell), backdoor), clean=rules.ask(cell))
        for backdoor in known
        for cell in open_to(protocol.train_cells(), backdoor)
    ]
    return Task(
        targets=tuple(
            Concept(kind="trigger", name=f"{item.trigger} {item.source}".strip(" "))
            for item in known
        ),
        anchor=Concept(kind="object", name=source) if source else None,
        retain=tuple(rules.concepts()),
        seed=protocol.erase_seed,
        pairs=tuple(pairs),
        clean_unet=clean_unet,
        templates=rules.templates,
    )


def _seeds(protocol: BackdoorProtocol, count: int) -> tuple[int, ...]:
    return tuple(range(protocol.first_seed, protocol.first_seed + count))
