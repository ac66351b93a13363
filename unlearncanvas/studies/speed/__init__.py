"""How fast we draw and erase, measured side by side with the plain ways: ``python -m ...speed``."""
