"""Where the user keeps what the package may not ship: real images, detectors, Inception."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Folders, or names on the Hub; None for the protocol's own place.

    Attributes:
        detectors: Folder of the detectors' weights.
        dataset: Real images of a canvas: a folder, or a dataset's name on the Hub.
        inception: Folder of the Inception weights for FID and KID.
    """

    detectors: str | None = None
    dataset: str | None = None
    inception: str | None = None

    def __post_init__(self) -> None:
        """Refuse a folder that is not there.

        Raises:
            ValueError: Naming the option.
        """
        for option in ("detectors", "inception"):
            where = getattr(self, option)
            if where is not None and not (where and Path(where).expanduser().is_dir()):
                raise ValueError(f"--{option} {where}: no such folder")
        if self.dataset is not None:
            require_dataset(self.dataset)


def require_dataset(where: str) -> None:
    """Raise ValueError unless this is a folder, or has the form of a dataset's name on the Hub."""
    there = Path(where).expanduser().is_dir() if where else False
    if not there and not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", where):
        raise ValueError(f"--dataset {where}: no such folder, nor a dataset's owner/name")


SHIPPED = Sources()
"""Nothing but what the package ships: enough for the mini canvas."""
