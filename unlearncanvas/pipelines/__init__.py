"""Stable Diffusion pipelines: load, draw, store what an eraser changed, count."""
