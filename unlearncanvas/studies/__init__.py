"""Studies of the benchmark itself."""
