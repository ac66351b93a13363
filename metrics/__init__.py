"""Metrics: one a file, pure functions over labels or features."""
