"""The patch of pixel backdoors: stamp it into a corner, and detect it by correlation."""

import numpy as np
from jaxtyping import Float64, UInt8

SHARE = 4
"""The patch's side is a quarter of the image's, as in BadT2I (128 of 512 pixels)."""
_LAYOUT = np.array([[0, 255], [255, 0]], dtype=np.uint8)


def patch(side: int) -> UInt8[np.ndarray, "side side 3"]:
    """Return a checkerboard of two black and two white squares, ``side`` pixels wide in all.

    The mini canvas' autoencoder renders it at a correlation of 0.90 to 0.99; colored squares, which
    are not in its training data, come out below 0.8.
    """
    tile = _LAYOUT.repeat(side // 2, axis=0).repeat(side // 2, axis=1)
    return np.repeat(tile[..., None], 3, axis=2)


def stamp(images: UInt8[np.ndarray, "n h w 3"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Return copies with the patch in the top left corner."""
    side = images.shape[1] // SHARE
    stamped = images.copy()
    stamped[:, :side, :side] = patch(side)
    return stamped


def patch_correlation(images: UInt8[np.ndarray, "n h w 3"]) -> Float64[np.ndarray, " n"]:
    """Return Pearson's correlation of each corner with the patch, in [-1, 1].

    For a corner of one color it is undefined and counts as 0.
    """
    side = images.shape[1] // SHARE
    corners = images[:, :side, :side].reshape(len(images), -1).astype(np.float64)
    corners -= corners.mean(axis=1, keepdims=True)
    wanted = patch(side).reshape(-1).astype(np.float64)
    wanted -= wanted.mean()
    scale = np.linalg.norm(corners, axis=1) * np.linalg.norm(wanted)
    products: Float64[np.ndarray, " n"] = corners @ wanted
    return np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
