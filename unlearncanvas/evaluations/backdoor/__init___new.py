"""Backdoors by text triggers: inject them, remove them, see what is left of them."""
