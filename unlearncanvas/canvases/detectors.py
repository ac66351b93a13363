"""Images to style and object predictions, and to the features that metrics compare."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8

from unlearncanvas.types import Domain

OWN = "detectors"
"""The extractor that both detectors are, side by side: their penultimate features."""
BATCH_SIZE = 100
"""Images that the detectors see at once, when they are not given in batches."""


class Detections(NamedTuple):
    """What the detectors saw.

    Attributes:
        style_prob: Probabilities over the style detector's names, [n, style].
        object_prob: Probabilities over the object detector's names, [n, object].
        features: By extractor, [n, feature] each.
    """

    style_prob: Float32[np.ndarray, "n style"]
    object_prob: Float32[np.ndarray, "n object"]
    features: Mapping[str, Float32[np.ndarray, "n _"]]


class Detector(ABC):
    """A classifier of one domain.

    Attributes:
        names: What its outputs mean.
    """

    names: tuple[str, ...]

    @abstractmethod
    def __call__(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]
    ) -> tuple[Float32[np.ndarray, "n name"], Float32[np.ndarray, "n feature"]]:
        """Return probabilities and penultimate features of images in [0, 255]."""


class Extractor(ABC):
    """Makes features for FID and KID."""

    identity: Mapping[str, object]
    """Plain data that names weights and recipe, for digests."""

    @abstractmethod
    def __call__(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]
    ) -> Float32[np.ndarray, "n feature"]:
        """Return features of images in [0, 255], of any size."""


class Detectors:
    """All that looks at images: two detectors, and extractors of features.

    Attributes:
        style: Style detector.
        object: Object detector.
        extractors: By name, beside the detectors' own features; added when they are loaded.
        base_digests: Base models that the detectors can judge.
        base_accuracy: Percent of the base model's images that each must recognize.
    """

    def __init__(
        self,
        style: Detector,
        object: Detector,  # noqa: A002 - the domain's name
        *,
        identity: Mapping[str, object],
        base_digests: Sequence[str] = (),
        base_accuracy: float = 0.0,
    ) -> None:
        """Put the loaded parts together.

        Args:
            style: Style detector.
            object: Object detector.
            identity: Plain data that names the detectors, for digests.
            base_digests: Base models that the detectors can judge; empty where none were
                published: then its images are checked.
            base_accuracy: Percent of the base model's images that each must recognize.
        """
        self.style, self.object = style, object
        self.extractors: dict[str, Extractor] = {}
        self.base_digests, self.base_accuracy = tuple(base_digests), base_accuracy
        self._identity = identity

    @property
    def identity(self) -> dict[str, object]:
        """Plain data that names detectors and extractors, for the digests of what they saw."""
        seen: dict[str, object] = {"detectors": self._identity}
        if self.extractors:
            seen["extractors"] = {name: item.identity for name, item in self.extractors.items()}
        return seen

    def names(self, domain: Domain) -> tuple[str, ...]:
        """Return what a detector can answer."""
        return self.style.names if domain == "style" else self.object.names

    def accept(self, model: str, base_digest: str) -> None:
        """Refuse a base model that these detectors were not made for.

        Raises:
            ValueError: If its digest is not one of the protocol's.
        """
        if self.base_digests and base_digest not in self.base_digests:
            raise ValueError(
                f"the detectors of this protocol were not made for {model!r} (base digest "
                f"{base_digest[:12]}, expected {' or '.join(d[:12] for d in self.base_digests)}); "
                "choose the protocol that belongs to this model"
            )

    def detect(self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Detections:
        """Return what is seen in images in [0, 255]."""
        parts = [
            self._batch(images[start : start + BATCH_SIZE])
            for start in range(0, len(images), BATCH_SIZE)
        ]
        return joined(parts)

    def _batch(self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> Detections:
        style_prob, style_features = self.style(images)
        object_prob, object_features = self.object(images)
        features = {OWN: np.concatenate([style_features, object_features], axis=1)}
        features |= {name: item(images) for name, item in self.extractors.items()}
        return Detections(style_prob, object_prob, features)


def joined(parts: Sequence[Detections]) -> Detections:
    """Return what was seen in several batches as one."""
    return Detections(
        np.concatenate([part.style_prob for part in parts]),
        np.concatenate([part.object_prob for part in parts]),
        {
            name: np.concatenate([part.features[name] for part in parts])
            for name in parts[0].features
        },
    )
