"""Inception features for FID and KID; the two implementations give different numbers.

    inception_clean        clean-fid "clean": every image resized to 299 pixels by PIL, bicubic,
                           channel by channel in float; the Inception of the original FID code
    inception_torchvision  the release of UnlearnCanvas: resized to 512, then to 299 pixels,
                           bilinear without antialiasing; torchvision's ImageNet weights, layer
                           Mixed_7c, averaged; input 2 x - 1 through its ``transform_input``

Source: Parmar et al. 2022 (arXiv 2104.11222), clean-fid 0.1.35; OPTML-Group/UnlearnCanvas @
920cfd1, ``fid.py``.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, final
from urllib.error import URLError

import numpy as np
import torch
from cleanfid.inception_torchscript import InceptionV3W
from cleanfid.resize import build_resizer
from jaxtyping import Float, Float32, UInt8
from torch import Tensor
from torch.nn import Identity, functional
from torchvision.models import inception_v3

from unlearncanvas.canvases.detectors import Extractor
from unlearncanvas.core.digests import digest_file
from unlearncanvas.pipelines.tensor_file import read_tensors

SIZE = 299
WIDTH = 2048
"""Features of an image, by either recipe."""


class Inception(Extractor):
    """The base class: loads a weights file, resizes images one by one."""

    file: str
    url: str

    def __init__(self, path: Path, device: torch.device) -> None:
        """Load the weights.

        Raises:
            ValueError: If the file is damaged.
        """
        self.identity: Mapping[str, object] = {"sha256": digest_file(path)}
        self._device = device
        self._model = self.load(path).eval().requires_grad_(False).to(device)

    @abstractmethod
    def load(self, path: Path) -> torch.nn.Module:
        """Return the network."""

    @abstractmethod
    def resized(self, image: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "3 y x"]:
        """Return an image as the network takes it."""

    @torch.no_grad()
    def __call__(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]
    ) -> Float32[np.ndarray, "n feature"]:
        """Return features of images in [0, 255], of any size."""
        batch = torch.stack([self.resized(image) for image in images]).to(self._device)
        return self._model(batch).float().flatten(1).cpu().numpy()


@final
class CleanInception(Inception):
    """clean-fid's recipe."""

    file = "inception-2015-12-05.pt"
    url = (
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/"
        "inception-2015-12-05.pt"
    )
    _resize: Callable[[Any], Any] = staticmethod(build_resizer("clean"))

    def load(self, path: Path) -> torch.nn.Module:
        """Return the TorchScript network without its last layer."""
        try:
            return InceptionV3W(str(path.parent), download=False, resize_inside=False)
        except RuntimeError as exc:
            reason = str(exc).strip().splitlines()[0]
            raise ValueError(f"{path} is damaged, get {self.url} again: {reason}") from exc

    def resized(self, image: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "3 y x"]:
        """Return the image in [0, 255]."""
        return torch.from_numpy(self._resize(image)).permute(2, 0, 1)


@final
class PublishedInception(Inception):
    """The recipe of UnlearnCanvas' own script."""

    file = "inception_v3_google-0cc3c7bd.pth"
    url = f"https://download.pytorch.org/models/{file}"

    def load(self, path: Path) -> torch.nn.Module:
        """Return torchvision's network up to the pooled Mixed_7c."""
        network = inception_v3(weights=None, transform_input=True, init_weights=False)
        try:
            network.load_state_dict(read_tensors(path))
        except RuntimeError as exc:
            raise ValueError(f"{path} is no torchvision Inception; get {self.url}") from exc
        network.dropout, network.fc = Identity(), Identity()
        return network

    def resized(self, image: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "3 y x"]:
        """Return the image in [-1, 1]."""
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        for size in (512, SIZE):
            pixels = functional.interpolate(pixels, (size, size), mode="bilinear")
        return 2 * pixels[0] - 1


EXTRACTORS: Mapping[str, type[CleanInception] | type[PublishedInception]] = {
    "inception_clean": CleanInception,
    "inception_torchvision": PublishedInception,
}


def load_extractor(name: str, device: torch.device, folder: str | None) -> Extractor:
    """Return an extractor; its weights are in the user's folder or torch's, or are downloaded.

    Raises:
        ValueError: If they cannot be loaded; the message names the file and its folder.
    """
    recipe = EXTRACTORS[name]
    place = Path(torch.hub.get_dir()) / "checkpoints" if folder is None else Path(folder)
    path = place.expanduser() / recipe.file
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(recipe.url, str(path), progress=False)
        except (URLError, OSError) as exc:
            raise ValueError(f"{name}: get {recipe.url} and put it at {path}") from exc
    return recipe(path, device)
