"""jaxtyping finds the type checker as an attribute of this package."""

from tests import typecheck

__all__ = ["typecheck"]
