"""The grid of styles x objects, drawn by every erased model."""
