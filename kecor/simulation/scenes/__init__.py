"""Scenes: random ones and replayed label files."""
