"""Backdoors by text triggers: attacks that put them into a pipeline, and what judges them."""
