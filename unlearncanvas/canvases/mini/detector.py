"""The detectors of the mini canvas: small residual networks, in float32."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from safetensors.torch import load_file

from unlearncanvas.canvases.detectors import Detector
from unlearncanvas.canvases.mini.files import DetectorFile
from unlearncanvas.core.digests import digest_file

DETECTOR_DIR = Path(__file__).parent / "weights" / "detectors"


@final
class PaintedDetector(Detector):
    """One classifier of the mini canvas."""

    def __init__(self, file: DetectorFile, device: torch.device | str = "cpu") -> None:
        """Load the weights.

        Raises:
            ValueError: If the file is missing or not the one the protocol names.
        """
        from unlearncanvas.canvases.mini.architecture import DETECTORS, build_classifier

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
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]
    ) -> tuple[Float32[np.ndarray, "n name"], Float32[np.ndarray, "n feature"]]:
        """Return probabilities and penultimate features of images of 64 pixels a side."""
        pixels = torch.from_numpy(np.stack(images)).to(self._device).permute(0, 3, 1, 2)
        hidden = self._model.forward_features(pixels.float() / 127.5 - 1)
        features = self._model.forward_head(hidden, pre_logits=True)
        prob = self._model.get_classifier()(features).softmax(dim=1)
        return prob.cpu().numpy(), features.cpu().numpy()
