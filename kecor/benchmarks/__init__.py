"""Measurements beside plain references, run by ``tools/benchmark.py``."""
