"""Stable Diffusion pipelines: loading, sampling, artifacts, cost."""
