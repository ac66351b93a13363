"""Records that carry a digest of their content, so that a damaged record is detected."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, computed_field, model_validator

from unlearncanvas.core.digests import digest_json

DIGEST = "record_digest"


class Record(BaseModel):
    """A JSON file's content; :data:`DIGEST` is written with it and checked when it is read.

    It covers the fields in the file, whatever fields a later version adds. Records from before
    there was a digest are read without it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def record_digest(self) -> str:
        """Digest of all other fields."""
        return digest_json(self.model_dump(mode="json", exclude={DIGEST}))

    @model_validator(mode="wrap")
    @classmethod
    def _as_written(cls, data: Any, handler: Callable[[Any], "Record"]) -> "Record":
        if not isinstance(data, dict) or DIGEST not in data:
            return handler(data)
        said = {key: value for key, value in data.items() if key != DIGEST}
        if digest_json(said) != data[DIGEST]:
            raise ValueError("the record is damaged: its digest is not the one written in it")
        return handler(said)
