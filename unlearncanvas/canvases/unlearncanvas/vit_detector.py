"""The classifiers of UnlearnCanvas: ViT-L/16 from timm with 51 styles or 20 objects.

    Resize((224, 224)), bilinear, ignoring the aspect ratio; Normalize(0.5, 0.5)

Source: Zhang et al. 2024 (arXiv 2402.11846); OPTML-Group/UnlearnCanvas @ 920cfd1, evaluation. The
files hold the weights under ``model_state_dict``; the release loads them as pickles, here nothing
in them is executed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np
import timm
import torch
from huggingface_hub import hf_hub_download
from jaxtyping import Float32, UInt8
from PIL import Image

from unlearncanvas.canvases.detectors import Detector
from unlearncanvas.canvases.unlearncanvas.files import LabelledFile
from unlearncanvas.core.digests import digest_file
from unlearncanvas.pipelines.tensor_file import read_tensors

DRIVE = "Google Drive folder 1AoazlvDgWgc3bAyHDpqlafqltmn4vm61, linked in UnlearnCanvas' README"


@final
class ViTDetector(Detector):
    """One classifier, in float32."""

    def __init__(
        self,
        spec: LabelledFile,
        path: Path,
        device: torch.device,
        *,
        architecture: str,
        image_size: int,
    ) -> None:
        """Load the weights.

        Args:
            spec: Names of the outputs.
            path: File of the weights.
            device: Where it runs.
            architecture: Model name in timm.
            image_size: Pixels that every image is squashed to.

        Raises:
            ValueError: If they are damaged, or not this classifier's.
        """
        self.names = spec.labels
        self.sha256 = digest_file(path)
        self._size, self._device = image_size, device
        # the release names "vit_large_patch16_224.augreg_in21k": weights that it overwrites
        model = timm.create_model(architecture, num_classes=len(spec.labels), img_size=image_size)
        tensors = read_tensors(path)
        found, wanted = tensors.get("head.weight"), model.head.weight
        if found is not None and len(found) != len(wanted):
            raise ValueError(
                f"{path} has {len(found)} outputs, expected {len(wanted)}; is it the other "
                "classifier?"
            )
        try:
            model.load_state_dict(tensors)
        except RuntimeError as exc:
            reason = " ".join(str(exc).split())[:160]
            raise ValueError(f"{path} does not hold a {architecture}: {reason}") from exc
        self._model = model.eval().requires_grad_(False).to(device)

    @torch.no_grad()
    def __call__(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]
    ) -> tuple[Float32[np.ndarray, "n name"], Float32[np.ndarray, "n feature"]]:
        """Return probabilities and penultimate features of images of any size."""
        pixels = torch.from_numpy(np.stack([prepared(image, self._size) for image in images]))
        pixels = pixels.to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        features = self._model.forward_head(self._model.forward_features(pixels), pre_logits=True)
        prob = self._model.head(features).softmax(dim=1)
        return prob.cpu().numpy(), features.cpu().numpy()


def prepared(image: UInt8[np.ndarray, "h w 3"], size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Return an image squashed to a square, as torchvision's Resize does with a PIL image."""
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def find_weights(spec: LabelledFile, source: str, folder: str | None) -> Path:
    """Return the weights file, from the user's folder or from the Hub.

    Raises:
        ValueError: If it is missing; the message says where to get it.
    """
    if folder is not None:
        path = Path(folder).expanduser() / spec.file
        if not path.is_file():
            raise ValueError(f"--detectors {folder}: no {spec.file} in it; it is in the {DRIVE}")
        return path
    owner, name, *inner = source.split("/")
    try:
        return Path(hf_hub_download(f"{owner}/{name}", "/".join([*inner, spec.file])))
    except OSError as exc:
        raise ValueError(
            f"cannot get {spec.file} from the Hub ({source}); download it there or from the "
            f"{DRIVE}, and name its folder with --detectors"
        ) from exc
