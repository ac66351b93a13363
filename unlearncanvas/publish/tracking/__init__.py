"""Mirrors of a run elsewhere; the local result files stay the record."""
