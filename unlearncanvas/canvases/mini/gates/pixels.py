"""The gates on detectors, autoencoder, and the distribution of the drawn images."""

import numpy as np
import torch
from diffusers import AutoencoderKL
from jaxtyping import Float, UInt8
from torch import Tensor

from metrics.artifact_rate import nearest
from metrics.fid import frechet_distance
from unlearncanvas.canvases.detectors import OWN, Detections, Detectors
from unlearncanvas.canvases.mini.canvas_data import Painted, painted, to_model
from unlearncanvas.canvases.mini.gates.gate import Gate
from unlearncanvas.pipelines.sampling import to_bytes

IMAGES_PER_CELL = 20
FID_IMAGES = 1000


def seen(detectors: Detectors, images: UInt8[Tensor, "n 3 h w"]) -> Detections:
    """Return what the detectors see in painted images."""
    return detectors.detect(list(images.permute(0, 2, 3, 1).contiguous().numpy()))


@torch.no_grad()
def reconstructions(
    vae: AutoencoderKL, images: UInt8[Tensor, "n 3 h w"]
) -> UInt8[np.ndarray, "n h w 3"]:
    """Return the images through the autoencoder and back."""
    parts = []
    for batch in images.split(100):
        latent = vae.encode(to_model(batch.to(vae.device))).latent_dist.mean
        parts.append(to_bytes(vae.decode(latent).sample))
    return np.concatenate(parts)


def recognition_gate(name: str, found: Detections, real: Painted) -> Gate:
    """Return the gate on painted images that the detectors recognize."""
    style = 100 * (found.style_prob.argmax(axis=1) == real.styles.numpy()).mean()
    obj = 100 * (found.object_prob.argmax(axis=1) == real.objects.numpy()).mean()
    text = f"style {style:.2f} %, object {obj:.2f} %"
    return Gate(f"{name}, {len(real.images):,} images", ">= 99 % each", text, min(style, obj) >= 99)


def distribution_gates(detectors: Detectors, real: Detections, drawn: Detections) -> list[Gate]:
    """Return the gates on FID, and on copies of training images."""
    rng = np.random.default_rng(0)

    def chosen(found: Detections) -> Float[np.ndarray, "n feature"]:
        features = found.features[OWN].astype(np.float64)
        return features[rng.permutation(len(features))[:FID_IMAGES]]

    other = seen(detectors, painted(IMAGES_PER_CELL, split="reference").images)
    held_out, reference, generated = chosen(real), chosen(other), chosen(drawn)
    floor = frechet_distance(held_out, reference)
    base = frechet_distance(generated, reference)
    images = painted(250, split="train").images
    training = seen(detectors, images).features[OWN].astype(np.float64)
    copied = np.percentile(nearest(generated, training), 1)
    honest = np.percentile(nearest(held_out, training), 1)
    return [
        Gate(
            f"FID at n = {FID_IMAGES:,}, base model against real",
            "<= 3 x real against real",
            f"{base:.3f} against {floor:.3f}: {base / floor:.2f} x",
            base <= 3 * floor,
        ),
        Gate(
            "copying: first percentile of the distance to training",
            ">= that of held-out images",
            f"{copied:.3f} against {honest:.3f}",
            bool(copied >= honest),
        ),
    ]
