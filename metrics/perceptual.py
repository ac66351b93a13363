"""Scores of networks trained on photographs: LPIPS of image pairs, CLIP of image and caption.

    LPIPS(x, y) = sum over layers l of the mean over places of w_l (f_l(x) - f_l(y))^2
    CLIP(x, c)  = 100 max(0, cos(image(x), text(c)))

Source: Zhang et al. 2018 (arXiv 1801.03924), torchmetrics' weights; Hessel et al. 2021 (arXiv
2104.08718). BackdoorDM (arXiv 2502.11798) reports both: the squeeze backbone, ViT-L/14.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, final
from urllib.error import URLError

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
from transformers import CLIPModel, CLIPProcessor

BATCH_SIZE = 16
Backbone = Literal["squeeze", "alex", "vgg"]


@final
class Lpips:
    """Perceptual distance of two images."""

    def __init__(self, backbone: Backbone, device: torch.device) -> None:
        """Load torchmetrics' LPIPS; torchvision's backbone is in torch's cache or downloaded.

        Raises:
            ValueError: If its weights are neither cached nor downloadable.
        """
        try:
            metric = LearnedPerceptualImagePatchSimilarity(net_type=backbone, normalize=True)
        except (URLError, OSError) as exc:
            place = f"{torch.hub.get_dir()}/checkpoints"
            raise ValueError(
                f"lpips: put torchvision's ImageNet weights of {backbone} into {place}: {exc}"
            ) from exc
        self._net: Callable[..., Tensor] = metric.net.to(device)
        self._device = device

    @torch.no_grad()
    def __call__(
        self, first: UInt8[np.ndarray, "n h w 3"], second: UInt8[np.ndarray, "n h w 3"]
    ) -> Float[np.ndarray, " n"]:
        """Return the distance of each pair of images in [0, 255]."""
        distances = [
            self._net(self._input(first[rows]), self._input(second[rows]), normalize=True)
            for rows in _batches(len(first))
        ]
        return torch.cat([part.flatten() for part in distances]).double().cpu().numpy()

    def _input(self, images: UInt8[np.ndarray, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
        return torch.from_numpy(images).permute(0, 3, 1, 2).to(self._device).float() / 255


@final
class ClipScore:
    """Similarity of image and caption."""

    def __init__(self, name: str, device: torch.device) -> None:
        """Load a CLIP, a folder or from the Hub.

        Raises:
            ValueError: If its weights are neither cached nor downloadable.
        """
        try:
            self._model = CLIPModel.from_pretrained(name).eval().requires_grad_(False).to(device)
            self._processor = CLIPProcessor.from_pretrained(name)
        except OSError as exc:
            reason = str(exc).strip().splitlines()[0]
            raise ValueError(
                f"clip: {name} is not in the Hub's cache and cannot be downloaded; get it once "
                f"with `hf download {name}`: {reason}"
            ) from exc
        self._device = device

    @torch.no_grad()
    def __call__(
        self, images: UInt8[np.ndarray, "n h w 3"], captions: Sequence[str]
    ) -> Float[np.ndarray, " n"]:
        """Return the score of each image, in [0, 100], with its caption."""
        scores = []
        for rows in _batches(len(images)):
            inputs = self._processor(
                images=[Image.fromarray(image) for image in images[rows]],
                text=list(captions[rows]),
                return_tensors="pt",
                padding=True,
                truncation=True,
            ).to(self._device)
            outputs = self._model(**inputs)
            similarity = (outputs.image_embeds * outputs.text_embeds).sum(dim=1)
            scores.append(100 * similarity.clamp(min=0))
        return torch.cat(scores).double().cpu().numpy()


def _batches(count: int) -> Iterator[slice]:
    for start in range(0, count, BATCH_SIZE):
        yield slice(start, start + BATCH_SIZE)
