"""The images that erasers ask for: real ones from the dataset, others drawn by the base model.

Generated images are kept on disk under the digest of all they depend on, so that targets with one
anchor share them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from filelock import FileLock
from jaxtyping import UInt8

from erasers.base import Method
from unlearncanvas.canvases.real_images import RealImageSource, every, square
from unlearncanvas.canvases.sources import SHIPPED, Sources
from unlearncanvas.core.digests import digest_json
from unlearncanvas.core.files import is_whole, sealing
from unlearncanvas.engine.grid import Grid
from unlearncanvas.pipelines.sampling import denoise, latent_shape
from unlearncanvas.types import (
    CaptionedImages,
    Cell,
    GeneratedImages,
    ImageRequest,
    RealImages,
    Task,
)


@dataclass(frozen=True, kw_only=True)
class TrainingImages:
    """Where erasers' image requests are met.

    Attributes:
        protocol: Whose dataset, grid and sampler.
        base_digest: Digest of the base model that draws.
        cache_dir: Where generated images are kept.
        sources: Where real images are.
    """

    protocol: Grid
    base_digest: str
    cache_dir: Path
    sources: Sources = SHIPPED

    def requests(self, eraser: Method, task: Task) -> dict[str, object]:
        """Return what an eraser asks for as plain data, for digests; empty if it wants none."""
        return {name: self._key(request) for name, request in eraser.images(task).items()}

    def fulfil(self, pipe: StableDiffusionPipeline, eraser: Method, task: Task) -> Task:
        """Return the task with the images that the eraser asks for; ``pipe`` is the base model."""
        images: Mapping[str, CaptionedImages] = {
            name: self._real(request)
            if isinstance(request, RealImages)
            else self._generated(pipe, request, task.seed)
            for name, request in eraser.images(task).items()
        }
        return replace(task, images=images)

    def _key(self, request: ImageRequest) -> dict[str, object]:
        """All that the images of a request depend on, but for base model and seed."""
        if isinstance(request, RealImages):
            return {
                "showing": [str(concept) for concept in request.showing],
                "without": [str(concept) for concept in request.without],
                "per_cell": request.per_cell,
                **self._source().identity,
                "styles": self.protocol.styles,
                "objects": self.protocol.objects,
            }
        sampler = self.protocol.sampler.plain()
        return {
            **sampler,
            "num_inference_steps": request.num_inference_steps,
            "guidance_scale": request.guidance_scale,
            "prompts": request.prompts,
        }

    def _real(self, request: RealImages) -> CaptionedImages:
        """Images of the dataset, cell by cell.

        Raises:
            ValueError: If no cell of the grid fits the request.
        """
        cells = [cell for cell in self.protocol.cells() if _fits(cell, request)]
        if not cells:
            shown = ", ".join(map(str, request.showing)) or "nothing"
            raise ValueError(f"no cell of {self.protocol.name} shows {shown} as asked for")
        wanted, size = every(cells, request.per_cell), self.protocol.sampler.height
        pixels = np.empty((len(wanted), size, size, 3), dtype=np.uint8)
        for place, image in self._source().read(wanted):
            pixels[place] = square(image, size)
        return CaptionedImages(
            pixels=pixels, prompts=[self.protocol.ask(item.cell) for item in wanted]
        )

    def _source(self) -> RealImageSource:
        return self.protocol.gallery.open(self.sources)

    def _generated(
        self, pipe: StableDiffusionPipeline, request: GeneratedImages, seed: int
    ) -> CaptionedImages:
        key = digest_json(
            {**self._key(request), "base": self.base_digest, "seed": seed, "dtype": str(pipe.dtype)}
        )
        path = self.cache_dir / f"{key[:16]}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if is_whole(path):
                pixels = np.load(path, allow_pickle=False)
            else:
                pixels = self._draw(pipe, request, seed)
                with sealing(path) as partial, partial.open("wb") as file:
                    np.save(file, pixels)
        return CaptionedImages(pixels=pixels, prompts=request.prompts)

    def _draw(
        self, pipe: StableDiffusionPipeline, request: GeneratedImages, seed: int
    ) -> UInt8[np.ndarray, "n h w 3"]:
        sampler = self.protocol.sampler.model_copy(
            update={
                "num_inference_steps": request.num_inference_steps,
                "guidance_scale": request.guidance_scale,
            }
        )
        shape, parts = latent_shape(pipe, sampler), []
        for start in range(0, len(request.prompts), sampler.batch_size):
            prompts = request.prompts[start : start + sampler.batch_size]
            noise = torch.stack(
                [_noise(seed, start + row, prompt, shape) for row, prompt in enumerate(prompts)]
            )
            parts.append(denoise(pipe, prompts, noise, sampler))
        return np.concatenate(parts)


def generated_ufe(eraser: Method, tasks: Sequence[Task]) -> int:
    """Return the UNet forward equivalents of the images that the base model draws for an eraser.

    Tasks that ask for the same images at the same seed share them.
    """
    asked = {
        (request, task.seed)
        for task in tasks
        for request in eraser.images(task).values()
        if isinstance(request, GeneratedImages)
    }
    return sum(
        len(request.prompts)
        * request.num_inference_steps
        * (2 if request.guidance_scale > 1 else 1)
        for request, _ in asked
    )


def _fits(cell: Cell, request: RealImages) -> bool:
    """Whether a cell shows one of the concepts asked for and none of those excluded."""
    shown = {("style", cell.style), ("object", cell.object)}
    wanted = {(concept.kind, concept.name) for concept in request.showing}
    excluded = {(concept.kind, concept.name) for concept in request.without}
    return bool(shown & wanted) and not shown & excluded


def _noise(seed: int, row: int, prompt: str, shape: tuple[int, int, int]) -> torch.Tensor:
    """The noise of one generated image: its own, whatever the batch."""
    digest = sha256(f"gallery|{seed}|{row}|{prompt}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return torch.randn(shape, generator=generator)
