"""Comparing acquisition methods over many runs: planning, running, statistics and tables."""
