"""Image sets: prompts of cells at seeds, drawn in chunks."""

from collections.abc import Mapping
from dataclasses import dataclass

from unlearncanvas.pipelines.sampler import Sampler
from unlearncanvas.pipelines.sampling import Request
from unlearncanvas.types import Cell


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Prompts for some cells, all drawn at the same seeds.

    Attributes:
        name: Folder of its chunks, below the model's.
        prompts: One a cell.
        seeds: Every prompt is drawn at each.
        sampler: How.
        seeds_per_chunk: Seeds that are drawn together; the unit of work and of resume.
        keep_pixels: Store every image as PNG beside its row, for scores that read pixels.
    """

    name: str
    prompts: Mapping[Cell, str]
    seeds: tuple[int, ...]
    sampler: Sampler
    seeds_per_chunk: int = 1
    keep_pixels: bool = False

    def groups(self) -> list[tuple[int, ...]]:
        """Return the seeds of each chunk."""
        size = self.seeds_per_chunk
        return [self.seeds[start : start + size] for start in range(0, len(self.seeds), size)]

    def requests(self, seeds: tuple[int, ...]) -> list[Request]:
        """Return the images of one chunk."""
        return [
            Request(cell=cell, seed=seed, prompt=prompt)
            for seed in seeds
            for cell, prompt in self.prompts.items()
        ]

    def identity(self, seeds: tuple[int, ...]) -> dict[str, object]:
        """Return what the images of one chunk depend on besides the model, as plain data."""
        return {
            "seeds": seeds,
            "prompts": [[cell.style, cell.object, text] for cell, text in self.prompts.items()],
            "sampler": self.sampler.plain(),
            **({"pixels": True} if self.keep_pixels else {}),
        }

    def __len__(self) -> int:
        return len(self.prompts) * len(self.seeds)


def filling_batches(num_prompts: int, batch_size: int) -> int:
    """Return how many seeds a chunk needs so that few prompts still fill a batch."""
    return -(-batch_size // num_prompts)
