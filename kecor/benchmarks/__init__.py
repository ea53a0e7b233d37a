"""Benchmarks against plain reference implementations, run by ``tools/benchmark.py``."""
