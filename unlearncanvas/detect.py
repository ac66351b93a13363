"""Images to style and object predictions and features."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from safetensors.torch import load_file

from unlearncanvas.digest import digest_file
from unlearncanvas.protocol import DetectorFile, Detectors

DETECTOR_DIR = Path(__file__).parent / "minicanvas" / "weights" / "detectors"


class Detections(NamedTuple):
    """What two detectors saw.

    Attributes:
        style_prob: Probabilities over the style detector's names, [n, style].
        object_prob: Probabilities over the object detector's names, [n, object].
        features: Penultimate features of both, side by side, [n, feature].
    """

    style_prob: Float32[np.ndarray, "n style"]
    object_prob: Float32[np.ndarray, "n object"]
    features: Float32[np.ndarray, "n feature"]


class Detector:
    """One classifier of the mini canvas, in float32."""

    def __init__(self, file: DetectorFile, device: torch.device | str = "cpu") -> None:
        """Load the weights.

        Raises:
            ValueError: If the file is missing or not the one the protocol names.
        """
        from unlearncanvas.minicanvas.recipe import DETECTORS, build_classifier

        path = DETECTOR_DIR / f"{file.name}.safetensors"
        if not path.is_file() or file.name not in DETECTORS:
            raise ValueError(f"no detector named {file.name!r}; have {', '.join(DETECTORS)}")
        if digest_file(path) != file.sha256:
            raise ValueError(
                f"detector {file.name!r} is not the one that the protocol names by its sha256; "
                "install the version of unlearncanvas that the protocol belongs to"
            )
        spec = DETECTORS[file.name]
        self.names: tuple[str, ...] = spec["names"]
        self._device = torch.device(device)
        model: Any = build_classifier(len(self.names), spec["channels"])
        model.load_state_dict(load_file(path))
        self._model = model.eval().requires_grad_(False).to(self._device)

    @torch.no_grad()
    def __call__(
        self, images: UInt8[np.ndarray, "n h w 3"]
    ) -> tuple[Float32[np.ndarray, "n name"], Float32[np.ndarray, "n feature"]]:
        """Return probabilities and penultimate features."""
        pixels = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2)
        hidden = self._model.forward_features(pixels.float() / 127.5 - 1)
        features = self._model.forward_head(hidden, pre_logits=True)
        prob = self._model.get_classifier()(features).softmax(dim=1)
        return prob.cpu().numpy(), features.cpu().numpy()


class DetectorPair:
    """The detectors of a protocol."""

    def __init__(self, detectors: Detectors, device: torch.device | str = "cpu") -> None:
        self.style = Detector(detectors.style, device)
        self.object = Detector(detectors.object, device)
        self._base_digests = detectors.base_digests

    def accept(self, model: str, base_digest: str) -> None:
        """Refuse a base model that these detectors were not made for.

        Raises:
            ValueError: If its digest is not one of the protocol's.
        """
        if base_digest not in self._base_digests:
            raise ValueError(
                f"the detectors of this protocol were not made for {model!r} (base digest "
                f"{base_digest[:12]}, expected {' or '.join(d[:12] for d in self._base_digests)}); "
                "choose the protocol that belongs to this model"
            )

    def detect(self, images: UInt8[np.ndarray, "n h w 3"], *, batch_size: int = 100) -> Detections:
        """Return the detections of images in [0, 255]."""
        parts = []
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            style_prob, style_features = self.style(batch)
            object_prob, object_features = self.object(batch)
            features: Float[np.ndarray, "n feature"] = np.concatenate(
                [style_features, object_features], axis=1
            )
            parts.append(Detections(style_prob, object_prob, features))
        return Detections(*(np.concatenate(column) for column in zip(*parts, strict=True)))
