"""Sampler settings, as a protocol's YAML file spells them."""

from typing import Literal

from pydantic import Field

from unlearncanvas.core.fields import Frozen

DType = Literal["float32", "bfloat16", "float16"]
Optimization = Literal["channels-last", "compile"]


class Sampler(Frozen):
    """Sampler settings, the same for every image.

    Attributes:
        scheduler: Name of a diffusers scheduler class, built from the pipeline's own config.
        num_inference_steps: Steps.
        guidance_scale: Classifier-free guidance; 1 is none.
        height: Pixels.
        width: Pixels.
        noise: ``cell``: the generator of an image is seeded by a hash of (seed, style, object);
            ``image``: by the seed alone, so that all cells start from the same noise; ``run``: one
            generator a seed, whose noise runs on through the grid.
        dtype: Precision of the pipeline while it draws.
        batch_size: Images drawn together; equal digits are promised at equal batch size.
        negative_prompt: Stands for the empty prompt.
        optimizations: Speed-ups that change rounding, see ``prepare_pipeline``.
    """

    scheduler: str
    num_inference_steps: int = Field(ge=1, le=1000)
    guidance_scale: float = Field(ge=1, allow_inf_nan=False)
    height: int = Field(ge=8, multiple_of=8)
    width: int = Field(ge=8, multiple_of=8)
    noise: Literal["cell", "image", "run"]
    dtype: DType
    batch_size: int = Field(ge=1)
    negative_prompt: str = ""
    optimizations: tuple[Optimization, ...] = ()
