"""The exam for concept unlearning in text-to-image diffusion models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearncanvas.models import load_erased as load_erased

__all__ = ["load_erased"]


def __getattr__(name: str) -> Any:
    """Import what is public when it is asked for; the package itself imports nothing heavy."""
    if name == "load_erased":
        from unlearncanvas.models import load_erased

        return load_erased
    raise AttributeError(f"module 'unlearncanvas' has no attribute {name!r}")
