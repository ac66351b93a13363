"""Plain tools: configurations, digests, files."""
