"""Where the time of drawing goes."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from diffusers import StableDiffusionPipeline

from unlearncanvas.canvases.detectors import Detectors
from unlearncanvas.studies.speed.ceiling import wait


@contextmanager
def timed_parts(
    pipe: StableDiffusionPipeline, detectors: Detectors | None
) -> Iterator[dict[str, float]]:
    """Add up the seconds inside the UNet, the text encoder, the decoder and the detectors."""
    parts: dict[str, float] = defaultdict(float)
    places: list[tuple[Any, str, str]] = [
        (pipe.unet, "forward", "UNet"),
        (pipe.text_encoder, "forward", "text encoder"),
        (pipe.vae, "decode", "autoencoder, decode"),
    ]
    if detectors is not None:
        places.append((detectors, "detect", "detectors"))

    def timed(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            wait(pipe.device)
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                wait(pipe.device)
                parts[name] += time.perf_counter() - start

        return run

    for owner, attribute, name in places:
        setattr(owner, attribute, timed(getattr(owner, attribute), name))
    try:
        yield parts
    finally:
        for owner, attribute, _ in places:
            delattr(owner, attribute)
