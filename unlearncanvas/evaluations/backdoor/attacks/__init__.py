"""Attacks that plant a backdoor; one file each."""
