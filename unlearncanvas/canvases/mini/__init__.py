"""The embedded default: a style x object world that we paint, and a Stable Diffusion for it."""
