"""The exam for concept unlearning in text-to-image diffusion models."""
