"""The evaluations: each a folder with its protocol, its jobs, scores, tables and figures."""
