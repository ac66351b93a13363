"""Bundles of results that others can check: submit, validate, verify, leaderboard."""
