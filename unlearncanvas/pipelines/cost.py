"""The cost of one erasure."""

from pydantic import BaseModel, ConfigDict, Field


class Cost(BaseModel):
    """The cost of one erasure.

    Attributes:
        seconds: Wall time of ``erase``; depends on the machine.
        peak_memory_bytes: Peak memory while erasing; None where it cannot be measured.
        stored_bytes: Size of the artifact's tensors.
        ufe: UNet forward equivalents, per sample: forward 1, backward 2, recomputation 1.
        gallery_ufe: UFE of the images generated for the eraser, cached ones included.
        text_forwards: Prompts sent through the text encoder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(ge=0)
    peak_memory_bytes: int | None
    stored_bytes: int = Field(ge=0)
    ufe: int = Field(ge=0)
    gallery_ufe: int = Field(default=0, ge=0)
    text_forwards: int = Field(ge=0)
