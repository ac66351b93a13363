"""The mini canvas: a painted style x object grid and a small Stable Diffusion trained on it."""
