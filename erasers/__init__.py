"""Erasers: one method a file; see README, "Add an eraser"."""
