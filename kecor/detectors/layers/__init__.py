"""Layers that stages are built of."""
