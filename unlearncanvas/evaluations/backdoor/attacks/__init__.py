"""Attacks, which inject backdoors; one file each."""
