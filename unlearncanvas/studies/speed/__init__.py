"""Speed of drawing and erasing, against diffusers and a plain loop: ``python -m ...speed``."""
