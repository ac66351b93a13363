"""Evaluations: one folder each, with protocol, jobs, scores, tables and figures."""
