"""How well the intervals cover, by simulation."""
