"""One package an evaluation."""
