"""Golden numbers: what this checkout computes, and what it is held to. See ``--help``."""
